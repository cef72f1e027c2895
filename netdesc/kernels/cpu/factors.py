"""The factors of a matrix product as its tiles read them: numbers, or spikes of a bit each.

A tile of the result goes through a panel of the right factor, term by term. The left factor's
numbers are read one by one where they lie, unless its columns are what is contiguous, or it has no
numbers: then it is copied, a block at a time.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from numba.extending import overload

from netdesc.kernels.cpu.spike_rows import unpack_rows

TILE_ROWS = 6
TILE_COLUMNS = 32 if llvm.get_host_cpu_features().get("avx512f", False) else 16
"""A tile of the result takes 12 of 32 registers of AVX-512, 12 of 16 of AVX2, 24 of 32 of NEON."""

DEPTH = 256
"""Terms of a sum that are added up in registers: two panels of them fit in the L1 cache."""


def terms_of(right) -> Any:
    """How many terms a sum has: the rows of the right factor."""


@overload(terms_of, inline="always")
def _(right):
    if isinstance(right, types.Array):
        return lambda right: len(right)
    return lambda right: right.rows


def is_copied(left) -> Any:
    """Whether the left factor is copied block by block."""


@overload(is_copied, inline="always")
def _(left):
    if isinstance(left, types.Array):
        return lambda left: left.strides[0] < left.strides[1]
    return lambda left: True


@numba.njit(inline="always")
def room_of(left, count):
    """Memory for a block of ``count`` rows and ``DEPTH`` terms, where it is copied."""
    tiles = (count + TILE_ROWS - 1) // TILE_ROWS
    return np.empty((tiles if is_copied(left) else 0, DEPTH, TILE_ROWS), np.float32)


def copy_rows(left, first, count, term, depth, room) -> Any:
    """Copy a block of the left factor; numbers as panels [panel, term, row of the tile]."""


@overload(copy_rows)
def _(left, first, count, term, depth, room):
    def numbers(left, first, count, term, depth, room):
        for p in range(len(room)):
            start = first + p * TILE_ROWS
            height = min(TILE_ROWS, first + count - start)
            for k in range(depth):
                from_k, to_k = left[start : start + height, term + k], room[p, k]
                for row in range(height):
                    to_k[row] = from_k[row]

    def spikes(left, first, count, term, depth, room):
        unpack_rows(left, first, count, term, depth, room.reshape(-1), DEPTH)

    return numbers if isinstance(left, types.Array) else spikes


def rows_of_tile(left, first, row, height, term, depth, room) -> Any:
    """``height`` rows of a block that begins at ``first``, from its row ``row`` on."""


@overload(rows_of_tile, inline="always")
def _(left, first, row, height, term, depth, room):
    def numbers(left, first, row, height, term, depth, room):
        if is_copied(left):
            return room[row // TILE_ROWS].T[:height, :depth]
        return left[first + row : first + row + height, term : term + depth]

    def spikes(left, first, row, height, term, depth, room):
        return room.reshape(len(room) * TILE_ROWS, DEPTH)[row : row + height, :depth]

    return numbers if isinstance(left, types.Array) else spikes


def copy_columns(right, first, count, term, depth, panel) -> Any:
    """Copy columns of ``right`` as a panel [term, column of the tile], filled up with zeros."""


@overload(copy_columns, inline="always")
def _(right, first, count, term, depth, panel):
    def numbers(right, first, count, term, depth, panel):
        for k in range(depth):
            from_k, to_k = right[term + k, first : first + count], panel[k]
            for c in range(count):
                to_k[c] = from_k[c]
            for c in range(count, TILE_COLUMNS):
                to_k[c] = 0

    def spikes(right, first, count, term, depth, panel):
        unpack_rows(right, term, depth, first, TILE_COLUMNS, panel.reshape(-1), TILE_COLUMNS)

    return numbers if isinstance(right, types.Array) else spikes
