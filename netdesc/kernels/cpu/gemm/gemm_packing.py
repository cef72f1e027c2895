"""Copies the factors of a GEMM in the order in which its tiles read them, for Numba.

A tile of the result reads a panel of the right factor term by term, and the left factor's numbers
one by one. The left factor is read in place if the terms of its rows are contiguous, otherwise from
a copy.
"""

from __future__ import annotations

import llvmlite.binding as llvm
import numba
import numpy as np

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.layout import Matrix
from netdesc.kernels.cpu.runtime.simd_memory import load, store

_HAS_32_REGISTERS = llvm.get_host_cpu_features().get("avx512f", False)

TILE_ROWS, TILE_COLUMNS = (12, 32) if _HAS_32_REGISTERS else (6, 16)
"""Size of a tile. Its sums fill 24 of 32 registers of AVX-512 or NEON, 12 of 16 of AVX2.

With larger tiles, fewer numbers are read from the cache for each product.
"""

MAX_PANEL_TERMS = 256
"""Largest number of terms in a panel; two such panels fit in the L1 cache."""


@numba.njit(inline="always")
def tiles_in(rows):
    """Returns the number of tiles that cover ``rows`` rows."""
    return (rows + TILE_ROWS - 1) // TILE_ROWS


@numba.njit(inline="always")
def at_row(matrix, row):
    """Returns ``matrix`` without the rows before ``row``."""
    start = matrix.start + row * matrix.by_row
    return Matrix(matrix.numbers, start, matrix.by_row, matrix.by_column)


@jit_no_refcount
def copy_left(left, rows, term, depth, copy):
    """Copies terms ``term`` to ``term + depth - 1`` of the left factor into ``copy``.

    The copy is flat, [tile, term, row of the tile]. Rows beyond the last are left undefined.
    """
    for tile in range(tiles_in(rows)):
        first = tile * TILE_ROWS
        height = min(TILE_ROWS, rows - first)
        for k in range(depth):
            at = left.start + first * left.by_row + (term + k) * left.by_column
            to = (tile * depth + k) * TILE_ROWS
            for row in range(height):
                copy[np.uint64(to + row)] = left.numbers[np.uint64(at + row * left.by_row)]


@numba.njit(inline="always")
def left_tile(left, copy, row, term, depth):
    """Returns a ``Matrix``: the left factor from ``row`` and ``term`` on.

    The matrix is in ``copy``, or in ``left`` itself if ``copy`` is empty.
    """
    if len(copy):
        return Matrix(copy, row * depth, 1, TILE_ROWS)
    start = left.start + row * left.by_row + term * left.by_column
    return Matrix(left.numbers, start, left.by_row, left.by_column)


@jit_no_refcount
def copy_panel(right, term, depth, column, width, panel):
    """Copies a part of the right factor into ``panel``.

    The part has ``depth`` terms from ``term`` on and ``width`` columns from ``column`` on.
    The panel is flat, [term, column]; columns beyond ``width`` are 0.
    """
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
