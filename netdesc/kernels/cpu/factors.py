"""The factors of a matrix product as its tiles read them: numbers, or spikes of a bit each.

A tile of the result goes through a panel of the right factor, term by term. The left factor's
numbers are read one by one where they lie if its rows are contiguous, or its columns and there are
but a few numbers. Else it is copied, a block at a time.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from numba.extending import overload

from netdesc.kernels.cpu.lanes import LANES, load, store
from netdesc.kernels.cpu.spike_rows import SpikeRows, unpack_rows

_HAS_32_REGISTERS = llvm.get_host_cpu_features().get("avx512f", False)

TILE_ROWS, TILE_COLUMNS = (12, 32) if _HAS_32_REGISTERS else (6, 16)
"""A tile of the result takes 24 of 32 registers of AVX-512, 12 of 16 of AVX2, 24 of 32 of NEON.

The larger it is, the less is read at every term from a cache that another program may share.
"""

DEPTH = 256
"""Terms of a sum that are added up in registers: two panels of them fit in the L1 cache."""


_FEW, _CLOSE = 1 << 16, 256
"""Numbers of a left factor that stay in the L2 cache (256 kB), wherever they are read, and rows
whose terms lie so close together that they do not crowd into a few of the cache's sets (1 kB)."""


def terms_of(right) -> Any:
    """How many terms a sum has: the rows of the right factor."""


@overload(terms_of, inline="always")
def _(right):
    if isinstance(right, types.Array):
        return lambda right: len(right)
    return lambda right: right.rows


def _has_rows(left) -> bool:
    """Whether the left factor, a Numba type, is numbers whose rows are contiguous."""
    return isinstance(left, types.Array) and left.layout == "C"


def _has_columns(left) -> bool:
    return isinstance(left, types.Array) and left.layout == "F"


@numba.njit(inline="always")
def _is_small(left):
    return (left.size <= _FEW) & (left.shape[0] < _CLOSE)


def is_copied(left: np.ndarray | SpikeRows) -> bool:
    """Whether a left factor is copied before it is read."""
    if isinstance(left, SpikeRows):
        return True
    is_small = left.size <= _FEW and len(left) < _CLOSE
    return not (left.flags.c_contiguous or (left.flags.f_contiguous and is_small))


@numba.njit(inline="always")
def _whole_vectors(depth):
    """So many terms of spikes are unpacked together."""
    return (depth + LANES - 1) // LANES * LANES


def room_of(left, count, terms) -> Any:
    """Memory for a block of ``count`` rows and ``DEPTH`` terms, if there are as many, flat.

    It is empty where nothing is copied.
    """


@overload(room_of, inline="always")
def _(left, count, terms):
    if _has_rows(left):
        return lambda left, count, terms: np.empty(0, np.float32)
    has_columns = _has_columns(left)

    def numbers(left, count, terms):
        tiles = (count + TILE_ROWS - 1) // TILE_ROWS
        size = tiles * min(DEPTH, terms) * TILE_ROWS
        return np.empty(0 if has_columns and _is_small(left) else size, np.float32)

    def spikes(left, count, terms):
        tiles = (count + TILE_ROWS - 1) // TILE_ROWS
        return np.empty(tiles * _whole_vectors(min(DEPTH, terms)) * TILE_ROWS, np.float32)

    return numbers if isinstance(left, types.Array) else spikes


def copy_rows(left, first, count, term, depth, room) -> Any:
    """Copy a block of the left factor, where it is copied.

    Numbers are copied as panels [panel, term, row of the tile], spikes as rows.
    """


@overload(copy_rows)
def _(left, first, count, term, depth, room):
    def numbers(left, first, count, term, depth, room):
        if not len(room):
            return
        tiles = (count + TILE_ROWS - 1) // TILE_ROWS
        panels = room[: tiles * depth * TILE_ROWS].reshape(tiles, depth, TILE_ROWS)
        for p in range(tiles):
            start = first + p * TILE_ROWS
            height = min(TILE_ROWS, first + count - start)
            for k in range(depth):
                from_k, to_k = left[start : start + height, term + k], panels[p, k]
                for row in range(height):
                    to_k[row] = from_k[row]

    def spikes(left, first, count, term, depth, room):
        unpack_rows(left, first, count, term, depth, room, _whole_vectors(depth))

    if _has_rows(left):
        return lambda left, first, count, term, depth, room: None
    return numbers if isinstance(left, types.Array) else spikes


def numbers_of(left, room) -> Any:
    """The left factor's numbers, flat, where tiles read them: the factor itself or its copy."""


@overload(numbers_of, inline="always")
def _(left, room):
    if _has_rows(left):
        return lambda left, room: left.reshape(-1)
    if _has_columns(left):
        return lambda left, room: left.T.reshape(-1) if _is_small(left) else room
    return lambda left, room: room


def place_of(left, first, row, term, depth) -> Any:
    """Where in these the tile begins at row ``row`` of a block, and the way to next row and term.

    The block begins at row ``first`` of the factor, at ``term``, and has ``depth`` terms.
    """


@overload(place_of, inline="always")
def _(left, first, row, term, depth):
    if _has_rows(left):
        return lambda left, first, row, term, depth: (
            (first + row) * left.shape[1] + term,
            left.shape[1],
            1,
        )
    has_columns = _has_columns(left)

    def numbers(left, first, row, term, depth):
        if has_columns and _is_small(left):
            rows = left.shape[0]
            return term * rows + first + row, 1, rows
        return row * depth, 1, TILE_ROWS

    def spikes(left, first, row, term, depth):
        by = _whole_vectors(depth)
        return row * by, by, 1

    return numbers if isinstance(left, types.Array) else spikes


def copy_columns(right, first, count, term, depth, panel) -> Any:
    """Copy columns of ``right`` as a flat panel [term, column of the tile], zeros to its end."""


@overload(copy_columns, inline="always")
def _(right, first, count, term, depth, panel):
    def contiguous(right, first, count, term, depth, panel):
        for k in range(depth):
            store(panel, k * TILE_COLUMNS, load(right[term + k], first, count), TILE_COLUMNS)

    def numbers(right, first, count, term, depth, panel):
        for k in range(depth):
            from_k, to_k = right[term + k, first : first + count], panel[k * TILE_COLUMNS :]
            for c in range(count):
                to_k[c] = from_k[c]
            for c in range(count, TILE_COLUMNS):
                to_k[c] = 0

    def spikes(right, first, count, term, depth, panel):
        unpack_rows(right, term, depth, first, TILE_COLUMNS, panel, TILE_COLUMNS)

    if not isinstance(right, types.Array):
        return spikes
    return contiguous if right.layout == "C" else numbers
