"""The float32 matrix product on Numba's threads.

torch's own product would wake a second pool of threads, and while one pool waits for its next work
by spinning, the other has fewer cores than it counts on. This one runs on the threads of the other
kernels, as fast as a vendor's library, and a sum of it is added up in an order that the number of
threads does not change: over blocks of ``_DEPTH`` terms, each from the first to the last.

The form is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008): both factors are copied in panels that a tile of the result walks through, and the tile
stays in vector registers meanwhile. The tile's loop is written in LLVM's vectors, because loops
over arrays would load and store every sum at every term.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.threads import threads

_LANES = 16
"""Floats of an LLVM vector; on hosts with shorter registers LLVM takes several."""

_TILE_ROWS = 6
_TILE_COLUMNS = 32 if llvm.get_host_cpu_features().get("avx512f", False) else 16
"""A tile of the result takes 12 of 32 registers of AVX-512, 12 of 16 of AVX2, 24 of 32 of NEON."""

_DEPTH = 256
"""Terms of a sum that are added up in registers: two panels of them fit in the L1 cache."""

_BLOCK_ROWS, _BLOCK_COLUMNS = 192, 512
"""Rows and columns of the result that a thread takes at a time, at most."""

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
    sums = _sum_up(builder, arrays[0].data, arrays[1].data, depth)
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

``out [rows, columns] (+)= left [depth, rows]ᵀ @ right [depth, columns]``: ``left`` and ``right``
are contiguous panels, the rows of ``out`` may lie apart. With ``add`` the sums are added to what
``out`` holds.
"""


def _sum_up(builder: Any, left: Any, right: Any, depth: Any) -> list[list[Any]]:
    """The loop over the terms; returns the sums, a list of vectors for each row of the tile."""
    before, loop = builder.block, builder.append_basic_block("terms")
    after = builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    term = builder.phi(_INT64)
    per_row = _TILE_COLUMNS // _LANES
    sums = [[builder.phi(_VECTOR) for _ in range(per_row)] for _ in range(_TILE_ROWS)]
    from_right = builder.gep(right, [builder.mul(term, _INT64(_TILE_COLUMNS))])
    from_left = builder.gep(left, [builder.mul(term, _INT64(_TILE_ROWS))])
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
    for row in range(_TILE_ROWS):
        factor = _spread(builder, builder.load(builder.gep(from_left, [_INT64(row)]), align=4))
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
def _panels_of_rows(left, first, count, term, depth, panels):
    """Copy rows of ``left`` as panels [panel, term, row of the tile], filled up with zeros."""
    by_columns = left.strides[0] < left.strides[1]
    for p in range(len(panels)):
        panel = panels[p]
        start = first + p * _TILE_ROWS
        height = min(_TILE_ROWS, first + count - start)
        if height < _TILE_ROWS:
            panel[:depth] = 0
        if by_columns:  # a transposed matrix
            for k in range(depth):
                from_k, to_k = left[start : start + height, term + k], panel[k]
                for row in range(height):
                    to_k[row] = from_k[row]
        else:
            for row in range(height):
                from_row = left[start + row, term : term + depth]
                for k in range(depth):
                    panel[k, row] = from_row[k]


@numba.njit(inline="always")
def _panel_of_columns(right, first, count, term, depth, panel):
    """Copy columns of ``right`` as a panel [term, column of the tile], filled up with zeros."""
    for k in range(depth):
        from_k, to_k = right[term + k, first : first + count], panel[k]
        for c in range(count):
            to_k[c] = from_k[c]
        for c in range(count, _TILE_COLUMNS):
            to_k[c] = 0


@numba.njit(parallel=True, cache=True, nogil=True)
def _multiply(left, right, block_rows, onto, out):
    """``out = left @ right``: float32 [rows, terms], [terms, columns] and [rows, columns].

    ``out`` is C-contiguous; with ``onto`` the product is added to what it holds. A thread takes
    ``block_rows`` rows at a time (a multiple of the tile's 6 wastes least), which changes no
    result.
    """
    rows, terms = left.shape
    columns = right.shape[1]
    across = (columns + _BLOCK_COLUMNS - 1) // _BLOCK_COLUMNS
    for item in numba.prange((rows + block_rows - 1) // block_rows * across):
        first = item // across * block_rows
        count = min(block_rows, rows - first)
        left_column = item % across * _BLOCK_COLUMNS
        right_column = min(columns, left_column + _BLOCK_COLUMNS)
        row_panels = np.empty(
            ((count + _TILE_ROWS - 1) // _TILE_ROWS, _DEPTH, _TILE_ROWS), np.float32
        )
        panel = np.empty((_DEPTH, _TILE_COLUMNS), np.float32)
        edge = np.empty((_TILE_ROWS, _TILE_COLUMNS), np.float32)
        for term in range(0, terms, _DEPTH):
            depth = min(_DEPTH, terms - term)
            add = onto or term > 0
            _panels_of_rows(left, first, count, term, depth, row_panels)
            for column in range(left_column, right_column, _TILE_COLUMNS):
                width = min(_TILE_COLUMNS, right_column - column)
                _panel_of_columns(right, column, width, term, depth, panel)
                for p in range(len(row_panels)):
                    row = first + p * _TILE_ROWS
                    height = min(_TILE_ROWS, first + count - row)
                    target = out[row : row + height, column : column + width]
                    if height == _TILE_ROWS and width == _TILE_COLUMNS:
                        _tile(row_panels[p], panel, target, depth, add)
                    else:
                        _tile(row_panels[p], panel, edge, depth, False)
                        for r in range(height):
                            for c in range(width):
                                before = target[r, c] if add else np.float32(0)
                                target[r, c] = before + edge[r, c]


def matmul(
    left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None, onto: bool = False
) -> np.ndarray:
    """``left @ right``, float32 [rows, terms] and [terms, columns].

    It is written into ``out`` (C-contiguous), or a buffer of the pool; with ``onto`` it is added to
    what ``out`` holds.
    """
    (rows, _), columns = left.shape, right.shape[1]
    if out is None:
        out = take((rows, columns), np.float32)
    across = -(-columns // _BLOCK_COLUMNS)
    share = -(-rows * across // threads())
    turns = -(-share // _BLOCK_ROWS)  # for each thread as many
    _multiply(left, right, -(-share // (turns * _TILE_ROWS)) * _TILE_ROWS, onto, out)
    return out
