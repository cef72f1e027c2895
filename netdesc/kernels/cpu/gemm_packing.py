"""Copies of a matrix product's factors, laid out as its tiles read them, for Numba.

A tile of the result goes through a panel of the right factor, term by term, and reads the left
factor's numbers one by one. These are read where they lie if the terms of a row are contiguous,
else from a copy.
"""

from __future__ import annotations

import llvmlite.binding as llvm
import numba
import numpy as np

from netdesc.kernels.cpu.lanes_memory import load, store
from netdesc.kernels.cpu.strided import Matrix

_HAS_32_REGISTERS = llvm.get_host_cpu_features().get("avx512f", False)

TILE_ROWS, TILE_COLUMNS = (12, 32) if _HAS_32_REGISTERS else (6, 16)
"""A tile of the result takes 24 of 32 registers of AVX-512, 12 of 16 of AVX2, 24 of 32 of NEON.

The larger it is, the less is read at every term from a cache that another program may share.
"""

DEPTH = 256
"""Terms of a sum that are added up in registers: two panels of them fit in the L1 cache."""


@numba.njit(inline="always")
def tiles_in(rows):
    return (rows + TILE_ROWS - 1) // TILE_ROWS


@numba.njit(inline="always")
def at_row(matrix, row):
    """The same matrix from ``row`` on."""
    start = matrix.start + row * matrix.by_row
    return Matrix(matrix.numbers, start, matrix.by_row, matrix.by_column)


@numba.njit
def copy_left(left, rows, term, depth, room):
    """The terms from ``term`` to before ``term + depth`` of some rows as panels, flat.

    [tile, term, row of the tile]; rows beyond the last mean nothing.
    """
    for tile in range(tiles_in(rows)):
        first = tile * TILE_ROWS
        height = min(TILE_ROWS, rows - first)
        for k in range(depth):
            at = left.start + first * left.by_row + (term + k) * left.by_column
            to = (tile * depth + k) * TILE_ROWS
            for row in range(height):
                room[np.uint64(to + row)] = left.numbers[np.uint64(at + row * left.by_row)]


@numba.njit(inline="always")
def left_tile(left, room, row, term, depth):
    """Where a tile reads the left factor: numbers, the first of them, the way to next row and term.

    In ``room`` if that has any.
    """
    if len(room):
        return Matrix(room, row * depth, 1, TILE_ROWS)
    start = left.start + row * left.by_row + term * left.by_column
    return Matrix(left.numbers, start, left.by_row, left.by_column)


@numba.njit
def copy_panel(right, term, depth, column, width, panel):
    """Some terms and columns of the right factor as a panel [term, column], zeros to its end."""
    for k in range(depth):
        at, to = (
            right.start + (term + k) * right.by_row + column * right.by_column,
            k * TILE_COLUMNS,
        )
        if right.by_column == 1:
            store(panel, to, load(right.numbers, at, width), TILE_COLUMNS)
        else:
            for c in range(width):
                panel[np.uint64(to + c)] = right.numbers[np.uint64(at + c * right.by_column)]
            for c in range(width, TILE_COLUMNS):
                panel[np.uint64(to + c)] = 0
