"""The float32 matrix product on Numba's threads.

torch's own product would wake a second pool of threads, and while one pool waits for its next work
by spinning, the other has fewer cores than it counts on. This one runs on the threads of the other
kernels, as fast as a vendor's library, and a sum of it is added up in an order that the number of
threads does not change: over blocks of ``DEPTH`` terms, each from the first to the last.

The form is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008): the right factor is copied in panels that a tile of the result walks through, and the tile
stays in vector registers meanwhile. Numbers of the left factor are read one by one, so it is copied
only where its columns are what is contiguous. The tile's loop is written in LLVM's vectors, because
loops over arrays would load and store every sum at every term.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.factors import (
    DEPTH,
    TILE_COLUMNS,
    TILE_ROWS,
    copy_columns,
    copy_rows,
    is_copied,
    room_of,
    rows_of_tile,
    terms_of,
)
from netdesc.kernels.cpu.lanes import LANES, load, store
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.weights import grid_of, on_grid

_LANES = 16
"""Floats of an LLVM vector; on hosts with shorter registers LLVM takes several."""

_BLOCK_ROWS, _BLOCK_COLUMNS = 192, 512
"""Rows and columns of the result that a thread takes at a time, at most."""

_PANEL = 32
"""Columns of a block are a multiple of it, unless they end."""

_VECTOR = ir.VectorType(ir.FloatType(), _LANES)
_INT64 = ir.IntType(64)
_INT32 = ir.IntType(32)


def _type_tile(context: Any, left: Any, right: Any, out: Any, depth: Any, add: Any) -> Any:
    return types.void(left, right, out, depth, add), _build_tile


def _build_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    arrays = [
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
    ]
    depth, add = arguments[3], builder.icmp_signed("!=", arguments[4], arguments[4].type(0))
    steps = cgutils.unpack_tuple(builder, arrays[0].strides, 2)
    sums = _sum_up(builder, (arrays[0].data, *steps), arrays[1].data, depth)
    bytes_a_row = cgutils.unpack_tuple(builder, arrays[2].strides, 2)[0]
    first = builder.bitcast(arrays[2].data, ir.IntType(8).as_pointer())
    for row, vectors in enumerate(sums):
        start = builder.gep(first, [builder.mul(bytes_a_row, _INT64(row))])
        for number, total in enumerate(vectors):
            place = _vector_at(builder, start, 4 * _LANES * number)
            with builder.if_else(add) as (then, otherwise):
                with then:
                    before = builder.load(place, align=4)
                    builder.store(builder.fadd(before, total), place, align=4)
                with otherwise:
                    builder.store(total, place, align=4)
    return context.get_dummy_value()


_tile: Any = intrinsic(_type_tile)
"""``_tile(left, right, out, depth, add)`` for one tile of the result.

``out [rows, columns] (+)= left [rows, depth] @ right [depth, columns]``: ``right`` is a contiguous
panel, the numbers of ``left`` and the rows of ``out`` may lie apart. With ``add`` the sums are
added to what ``out`` holds.
"""


def _sum_up(builder: Any, left: tuple[Any, Any, Any], right: Any, depth: Any) -> list[list[Any]]:
    """The loop over the terms; returns the sums, a list of vectors for each row of the tile."""
    before, loop = builder.block, builder.append_basic_block("terms")
    after = builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    term = builder.phi(_INT64)
    per_row = TILE_COLUMNS // _LANES
    sums = [[builder.phi(_VECTOR) for _ in range(per_row)] for _ in range(TILE_ROWS)]
    from_right = builder.gep(right, [builder.mul(term, _INT64(TILE_COLUMNS))])
    of_left, to_row, to_term = left
    from_left = builder.gep(
        builder.bitcast(of_left, ir.IntType(8).as_pointer()), [builder.mul(term, to_term)]
    )
    first = builder.bitcast(from_right, ir.IntType(8).as_pointer())
    vectors = [
        builder.load(_vector_at(builder, first, 4 * _LANES * number), align=4)
        for number in range(per_row)
    ]
    multiply_add = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(_VECTOR, [_VECTOR] * 3),
        f"llvm.fmuladd.v{_LANES}f32",
    )
    # In this order, or a row's factor would stay in a register of its own from start to end.
    later: list[list[Any]] = []
    for row in range(TILE_ROWS):
        place = builder.gep(from_left, [builder.mul(to_row, _INT64(row))])
        number = builder.load(builder.bitcast(place, ir.FloatType().as_pointer()), align=4)
        factor = _spread(builder, number)
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


def _vector_at(builder: Any, first: Any, offset: int) -> Any:
    """A pointer to a vector ``offset`` bytes after ``first``."""
    return builder.bitcast(builder.gep(first, [_INT64(offset)]), _VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    """A vector with ``number`` in every lane."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    lanes = ir.Constant(ir.VectorType(_INT32, _LANES), None)
    return builder.shuffle_vector(
        builder.insert_element(nothing, number, _INT32(0)), nothing, lanes
    )


@numba.njit(inline="always")
def _put_on_grid(panel, low, high):
    """Quantise the weights of a flat panel."""
    for at in range(0, len(panel), LANES):
        store(panel, at, on_grid(load(panel, at, LANES), low, high), LANES)


@numba.njit
def multiply_block(left, right, quantize, low, high, rows, columns, onto, out, to):
    """Rows and columns of ``left @ right``, each a first one and the one after the last.

    ``left`` is float32 [rows, terms], ``right`` [terms, columns], one of them may be ``SpikeRows``;
    ``out`` is C-contiguous. What is computed is written there, its corner to row and column ``to``;
    with ``onto`` it is added to what is there. With ``quantize`` the factor ``right`` are real
    weights that count as those on the grid (see ``weights``). Columns begin at a multiple of 32.
    """
    terms, count = terms_of(right), rows[1] - rows[0]
    panel = np.empty((DEPTH, TILE_COLUMNS), np.float32)
    edge = np.empty((TILE_ROWS, TILE_COLUMNS), np.float32)
    padded = np.zeros((TILE_ROWS, DEPTH), np.float32)
    room = room_of(left, count)
    for term in range(0, terms, DEPTH):
        depth = min(DEPTH, terms - term)
        add = onto or term > 0
        if is_copied(left):
            copy_rows(left, rows[0], count, term, depth, room)
        for column in range(columns[0], columns[1], TILE_COLUMNS):
            width = min(TILE_COLUMNS, columns[1] - column)
            to_column = to[1] + column - columns[0]
            copy_columns(right, column, width, term, depth, panel)
            if quantize:
                _put_on_grid(panel.reshape(-1), low, high)
            for row in range(0, count, TILE_ROWS):
                height = min(TILE_ROWS, count - row)
                factors = rows_of_tile(left, rows[0], row, height, term, depth, room)
                target = out[to[0] + row :, to_column : to_column + width]
                if height == TILE_ROWS and width == TILE_COLUMNS:
                    _tile(factors, panel, target, depth, add)
                else:
                    padded[:height, :depth] = factors
                    _tile(padded, panel, edge, depth, False)
                    for r in range(height):
                        for c in range(width):
                            before = target[r, c] if add else np.float32(0)
                            target[r, c] = before + edge[r, c]


@numba.njit(parallel=True, cache=True, nogil=True)
def _multiply(left, right, quantize, low, high, block, onto, out):
    """``multiply_block`` by all threads.

    A thread takes a ``block`` of rows and columns at a time, which changes no result.
    """
    (rows, columns), (block_rows, block_columns) = out.shape, block
    across = (columns + block_columns - 1) // block_columns
    for item in numba.prange((rows + block_rows - 1) // block_rows * across):
        first, lo = item // across * block_rows, item % across * block_columns
        of_rows = first, min(rows, first + block_rows)
        of_columns = lo, min(columns, lo + block_columns)
        multiply_block(
            left, right, quantize, low, high, of_rows, of_columns, onto, out, (first, lo)
        )


def matmul(
    left: np.ndarray | SpikeRows,
    right: np.ndarray | SpikeRows,
    out: np.ndarray | None = None,
    onto: bool = False,
    bits: int | None = None,
) -> np.ndarray:
    """``left @ right``, float32 [rows, terms] and [terms, columns], or one of them spikes.

    It is written into ``out`` (C-contiguous), or a buffer of the pool; with ``onto`` it is added to
    what ``out`` holds. Given ``bits``, ``right`` are weights that count as those which
    ``quantization.quantize`` makes of them: a tensor of these is never made.
    """
    rows = left.rows if isinstance(left, SpikeRows) else len(left)
    columns = right.columns if isinstance(right, SpikeRows) else right.shape[1]
    if out is None:
        out = take((rows, columns), np.float32)
    _multiply(left, right, *grid_of(bits), _block(rows, columns), onto, out)
    return out


def _block(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns that a thread takes at a time: for each thread as many, and whole tiles."""
    across = -(-columns // _BLOCK_COLUMNS)
    share = -(-rows * across // threads())
    turns = -(-share // _BLOCK_ROWS)
    block_rows = -(-share // (turns * TILE_ROWS)) * TILE_ROWS
    down = -(-rows // block_rows)
    across = -(-across * down // threads()) * threads() // down
    return block_rows, -(-columns // (across * _PANEL)) * _PANEL
