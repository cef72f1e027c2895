"""The float32 matrix product on Numba's threads.

torch's own product would wake a second pool of threads, and while one pool waits for its next work
by spinning, the other has fewer cores than it counts on. This one runs on the threads of the other
kernels, as fast as a vendor's library, and the number of threads does not change the order in which
a sum is added up: over blocks of ``DEPTH`` terms, each from the first to the last.

The form is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008): the right factor is copied in panels that a tile of the result walks through, and the tile
stays in vector registers meanwhile. The tile's loop is written in LLVM's vectors, because loops
over arrays would load and store every sum at every term.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from netdesc.kernels.cpu.gemm_packing import (
    DEPTH,
    TILE_COLUMNS,
    TILE_ROWS,
    at_row,
    copy_left,
    copy_panel,
    left_tile,
    tiles_in,
)
from netdesc.kernels.cpu.lanes import intrinsic
from netdesc.kernels.cpu.memory import allocate
from netdesc.kernels.cpu.strided import Matrix, matrix_of
from netdesc.kernels.cpu.threads import threads

_VECTOR_FLOATS = 16
"""Floats of an LLVM vector; on hosts with shorter registers LLVM takes several."""

_MAX_BLOCK_ROWS, _MAX_BLOCK_COLUMNS = 192, 512
"""Rows and columns of the result that a thread takes at a time."""

_BLOCK_COLUMNS_UNIT = 32
"""Columns of a block are a multiple of it, unless they end."""

_ROWS_BY_ADDITION = 3
"""Rows of a tile whose numbers are found from the first of them, so that registers are enough."""

_VECTOR = ir.VectorType(ir.FloatType(), _VECTOR_FLOATS)
_INT64, _INT32 = ir.IntType(64), ir.IntType(32)


@intrinsic
def _multiply_tile(context: Any, left: Any, right: Any, out: Any, at: Any, depth: Any, add: Any):
    """One tile of the result: ``out (+)= left [rows, depth] @ right [depth, columns]``.

    ``left`` and ``out`` are ``Matrix``, the tile's first number in ``out`` being ``at``; ``right``
    is a panel. With ``add`` the sums are added to what ``out`` holds.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(kind: Any, array: Any) -> Any:
            return context.make_array(kind)(context, builder, array).data

        (of_left, of_right, of_out, at, depth, add) = arguments
        numbers, start, to_row, to_term = cgutils.unpack_tuple(builder, of_left, 4)
        first = builder.gep(data(left[0], numbers), [start])
        sums = _sum_up(builder, (first, to_row, to_term), data(right, of_right), depth)
        out_numbers, _, by_row, _ = cgutils.unpack_tuple(builder, of_out, 4)
        of_tile = builder.gep(data(out[0], out_numbers), [at])
        _write_tile(builder, sums, of_tile, by_row, builder.icmp_signed("!=", add, add.type(0)))
        return context.get_dummy_value()

    return types.void(left, right, out, at, depth, add), build


def _write_tile(builder: Any, sums: Any, of_tile: Any, by_row: Any, add: Any) -> None:
    for row, vectors in enumerate(sums):
        start = builder.gep(of_tile, [builder.mul(by_row, _INT64(row))])
        for number, total in enumerate(vectors):
            place = _vector_at(builder, start, _VECTOR_FLOATS * number)
            with builder.if_else(add) as (then, otherwise):
                with then:
                    before = builder.load(place, align=4)
                    builder.store(builder.fadd(before, total), place, align=4)
                with otherwise:
                    builder.store(total, place, align=4)


def _sum_up(builder: Any, left: tuple[Any, Any, Any], right: Any, depth: Any) -> list[list[Any]]:
    """The loop over the terms; returns the sums, a list of vectors for each row of the tile."""
    first, to_row, to_term = left
    rows = _rows_apart(builder, first, to_row)
    before, loop = builder.block, builder.append_basic_block("terms")
    after = builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    term = builder.phi(_INT64)
    per_row = TILE_COLUMNS // _VECTOR_FLOATS
    sums = [[builder.phi(_VECTOR) for _ in range(per_row)] for _ in range(TILE_ROWS)]
    from_right = builder.gep(right, [builder.mul(term, _INT64(TILE_COLUMNS))])
    vectors = [
        builder.load(_vector_at(builder, from_right, _VECTOR_FLOATS * number), align=4)
        for number in range(per_row)
    ]
    multiply_add = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(_VECTOR, [_VECTOR] * 3),
        f"llvm.fmuladd.v{_VECTOR_FLOATS}f32",
    )
    # In this order, or a row's factor would stay in a register of its own from start to end.
    later: list[list[Any]] = []
    along = builder.mul(term, to_term)
    for row in range(TILE_ROWS):
        factor = _spread(builder, builder.load(builder.gep(rows[row], [along]), align=4))
        later.append(
            [
                builder.call(multiply_add, [factor, vector, total])
                for vector, total in zip(vectors, sums[row], strict=True)
            ]
        )
    following = builder.add(term, _INT64(1))
    term.add_incoming(_INT64(0), before)
    term.add_incoming(following, loop)
    zero = ir.Constant(_VECTOR, None)
    for row, new_row in zip(sums, later, strict=True):
        for total, new in zip(row, new_row, strict=True):
            total.add_incoming(zero, before)
            total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    builder.position_at_end(after)
    return later


def _rows_apart(builder: Any, first: Any, to_row: Any) -> list[Any]:
    """Pointers to a tile's rows, which LLVM does not see to lie equally far apart.

    It would go from each to the next at every term, a chain of additions as long as the products
    take. The machine code that hides them is empty.
    """
    kind = ir.FunctionType(first.type, [first.type])
    hidden = [
        builder.asm(
            kind, "", "=r,0", [builder.gep(first, [builder.mul(to_row, _INT64(row))])], False
        )
        for row in range(0, TILE_ROWS, _ROWS_BY_ADDITION)
    ]
    return [
        builder.gep(group, [builder.mul(to_row, _INT64(row))])
        for group in hidden
        for row in range(_ROWS_BY_ADDITION)
    ]


def _vector_at(builder: Any, first: Any, offset: int) -> Any:
    """A pointer to the vector that begins ``offset`` numbers after ``first``."""
    return builder.bitcast(builder.gep(first, [_INT64(offset)]), _VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    """A vector with ``number`` in every lane."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    lanes = ir.Constant(ir.VectorType(_INT32, _VECTOR_FLOATS), None)
    return builder.shuffle_vector(
        builder.insert_element(nothing, number, _INT32(0)), nothing, lanes
    )


@numba.njit
def _multiply_edge(tile, panel, depth, size, add, out, at):
    """A tile of fewer rows or columns, ``size``: from a copy with whole rows, into a copy first."""
    height, width = size
    padded = np.zeros(TILE_ROWS * depth, np.float32)
    edge = np.empty(TILE_ROWS * TILE_COLUMNS, np.float32)
    for r in range(height):
        for k in range(depth):
            of_tile = np.uint64(tile.start + r * tile.by_row + k * tile.by_column)
            padded[r * depth + k] = tile.numbers[of_tile]
    whole = Matrix(edge, 0, TILE_COLUMNS, 1)
    _multiply_tile(Matrix(padded, 0, depth, 1), panel, whole, 0, depth, False)
    for r in range(height):
        for c in range(width):
            to = np.uint64(at + r * out.by_row + c)
            before = out.numbers[to] if add else np.float32(0)
            out.numbers[to] = before + edge[r * TILE_COLUMNS + c]


@numba.njit
def multiply_block(left, right, shape, add, out):
    """``out (+)= left @ right``, each a ``Matrix``; columns of ``out`` are contiguous.

    ``shape`` is rows, terms and columns. With ``add`` the product is added to what ``out`` holds.
    """
    rows, terms, columns = shape
    panel = np.empty((min(DEPTH, terms) + 1) * TILE_COLUMNS, np.float32)
    copied = 0 if left.by_column == 1 else tiles_in(rows) * min(DEPTH, terms) * TILE_ROWS
    room = np.empty(copied, np.float32)
    for term in range(0, terms, DEPTH):
        depth = min(DEPTH, terms - term)
        adds = add or term > 0
        if copied:
            copy_left(left, rows, term, depth, room)
        for column in range(0, columns, TILE_COLUMNS):
            width = min(TILE_COLUMNS, columns - column)
            copy_panel(right, term, depth, column, width, panel)
            for row in range(0, rows, TILE_ROWS):
                height = min(TILE_ROWS, rows - row)
                tile = left_tile(left, room, row, term, depth)
                at = out.start + row * out.by_row + column
                if height < TILE_ROWS or width < TILE_COLUMNS:
                    _multiply_edge(tile, panel, depth, (height, width), adds, out, at)
                else:
                    _multiply_tile(tile, panel, out, at, depth, adds)


@numba.njit(parallel=True, cache=True, nogil=True)
def _multiply(left, right, shape, block, add, out):
    """``multiply_block`` by all threads, which take a ``block`` of rows and columns at a time."""
    rows, terms, columns = shape
    across = (columns + block[1] - 1) // block[1]
    for item in numba.prange((rows + block[0] - 1) // block[0] * across):
        row, column = item // across * block[0], item % across * block[1]
        of_columns = Matrix(
            right.numbers, right.start + column * right.by_column, right.by_row, right.by_column
        )
        to = Matrix(out.numbers, out.start + row * out.by_row + column, out.by_row, 1)
        size = min(block[0], rows - row), terms, min(block[1], columns - column)
        multiply_block(at_row(left, row), of_columns, size, add, to)


def matmul(
    left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None, add: bool = False
) -> np.ndarray:
    """``left @ right``, float32 [rows, terms] and [terms, columns], each by rows or by columns.

    It is written into ``out`` (C-contiguous), or into a buffer of the pool; with ``add`` it is
    added to what ``out`` holds.
    """
    (rows, terms), (_, columns) = left.shape, right.shape
    if out is None:
        out = allocate((rows, columns), np.float32)
    of_left, of_right = matrix_of(left), matrix_of(right)
    block = _block(rows, columns, is_copied=of_left.by_column != 1)
    _multiply(of_left, of_right, (rows, terms, columns), block, add, matrix_of(out))
    return out


def _block(rows: int, columns: int, is_copied: bool) -> tuple[int, int]:
    """Rows and columns that a thread takes at a time: for each thread as many, and whole tiles.

    Where the left factor ``is_copied``, rows are shared out first, so that threads copy different
    ones.
    """
    across = -(-columns // _MAX_BLOCK_COLUMNS)
    share = -(-rows * (1 if is_copied else across) // threads())
    turns = -(-share // _MAX_BLOCK_ROWS)
    block_rows = -(-share // (turns * TILE_ROWS)) * TILE_ROWS
    down = -(-rows // block_rows)
    across = -(-across * down // threads()) * threads() // down
    unit = across * _BLOCK_COLUMNS_UNIT
    return block_rows, -(-columns // unit) * _BLOCK_COLUMNS_UNIT
