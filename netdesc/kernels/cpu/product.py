"""The float32 matrix product on Numba's threads.

torch's own product would wake a second pool of threads, and while one pool waits for its next work
by spinning, the other has fewer cores than it counts on. This one runs on the threads of the other
kernels, as fast as a vendor's library, and a sum of it is added up in an order that the number of
threads does not change: over blocks of ``DEPTH`` terms, each from the first to the last.

The form is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008): the right factor is copied in panels that a tile of the result walks through, and the tile
stays in vector registers meanwhile. Numbers of the left factor are read one by one, so it is copied
only where its rows are not contiguous. The tile's loop is written in LLVM's vectors, because loops
over arrays would load and store every sum at every term.
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
    numbers_of,
    place_of,
    room_of,
    terms_of,
)
from netdesc.kernels.cpu.gaps import ALL, list_terms
from netdesc.kernels.cpu.lanes import LANES, load, store
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.weights import grid_of, on_grid

_LANES = 16
"""Floats of an LLVM vector; on hosts with shorter registers LLVM takes several."""

_BLOCK_ROWS, _BLOCK_COLUMNS = 192, 512
"""Rows and columns of the result that a thread takes at a time, at most."""

_FEWER_ROWS = (1 << 15, 24), (1 << 16, 48)
"""Below so many numbers to copy, fewer rows: the copies would be as large as all else there is."""

_PANEL = 32
"""Columns of a block are a multiple of it, unless they end."""

_GROUP = 3
"""Rows of a tile whose numbers are found from the first of them, so that registers are enough."""

_VECTOR = ir.VectorType(ir.FloatType(), _LANES)
_INT64 = ir.IntType(64)
_INT32 = ir.IntType(32)


def _type_tile(
    context: Any, left: Any, places: Any, right: Any, out: Any, at: Any, by: Any, depth: Any,
    add: Any,
) -> Any:  # fmt: skip
    return types.void(left, places, right, out, at, by, depth, add), _build_tile


def _type_listed(
    context: Any, left: Any, places: Any, right: Any, out: Any, at: Any, by: Any, count: Any,
    add: Any, terms: Any, start: Any,
) -> Any:  # fmt: skip
    return types.void(left, places, right, out, at, by, count, add, terms, start), _build_tile


def _build_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    def data(which: int) -> Any:
        kind = context.make_array(signature.args[which])
        return kind(context, builder, arguments[which]).data

    left, right, out = data(0), data(2), data(3)
    at, by, depth, add = arguments[4:8]
    terms = builder.gep(data(8), [arguments[9]]) if len(arguments) > 8 else None
    add = builder.icmp_signed("!=", add, add.type(0))
    first, to_row, to_term = cgutils.unpack_tuple(builder, arguments[1], 3)
    sums = _sum_up(builder, (builder.gep(left, [first]), to_row, to_term), right, depth, terms)
    of_tile = builder.gep(out, [at])
    for row, vectors in enumerate(sums):
        start = builder.gep(of_tile, [builder.mul(by, _INT64(row))])
        for number, total in enumerate(vectors):
            place = _vector_at(builder, start, _LANES * number)
            with builder.if_else(add) as (then, otherwise):
                with then:
                    before = builder.load(place, align=4)
                    builder.store(builder.fadd(before, total), place, align=4)
                with otherwise:
                    builder.store(total, place, align=4)
    return context.get_dummy_value()


_tile: Any = intrinsic(_type_tile)
"""``_tile(left, places, right, out, at, by, depth, add)`` for one tile of the result.

``out [rows, columns] (+)= left [rows, depth] @ right [depth, columns]``, all of them flat. The
tile's first number of ``left`` and the way to the next row and term are in ``places``; ``right`` is
a panel; rows of ``out`` begin ``at`` and go on ``by`` numbers further. With ``add`` the sums are
added to what ``out`` holds. No views are made for it: each would be counted, which takes as long as
a tenth of a tile.
"""

_tile_of_listed: Any = intrinsic(_type_listed)
"""The same with ``count`` of the terms alone: ``terms[start]`` and those after it.

There is one at least.
"""


def _sum_up(
    builder: Any, left: tuple[Any, Any, Any], right: Any, depth: Any, terms: Any | None
) -> list[list[Any]]:
    """The loop over the terms; returns the sums, a list of vectors for each row of the tile.

    Terms are the first ``depth`` or, where their numbers are given, the first of these.
    """
    of_left, to_row, to_term = left
    rows = _rows_apart(builder, of_left, to_row)
    before, loop = builder.block, builder.append_basic_block("terms")
    after = builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    turn = builder.phi(_INT64)
    per_row = TILE_COLUMNS // _LANES
    sums = [[builder.phi(_VECTOR) for _ in range(per_row)] for _ in range(TILE_ROWS)]
    term = turn
    if terms is not None:
        term = builder.zext(builder.load(builder.gep(terms, [turn])), _INT64)
    from_right = builder.gep(right, [builder.mul(term, _INT64(TILE_COLUMNS))])
    vectors = [
        builder.load(_vector_at(builder, from_right, _LANES * number), align=4)
        for number in range(per_row)
    ]
    multiply_add = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(_VECTOR, [_VECTOR] * 3),
        f"llvm.fmuladd.v{_LANES}f32",
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
    following = builder.add(turn, _INT64(1))
    turn.add_incoming(_INT64(0), before)
    turn.add_incoming(following, loop)
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
        for row in range(0, TILE_ROWS, _GROUP)
    ]
    return [
        builder.gep(group, [builder.mul(to_row, _INT64(row))])
        for group in hidden
        for row in range(_GROUP)
    ]


def _vector_at(builder: Any, first: Any, offset: int) -> Any:
    """A pointer to the vector that begins ``offset`` numbers after ``first``."""
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
def _tile_at_edge(
    numbers, places, panel, target, at, by, depth, add, height, width, padded, edge
):  # fmt: skip
    """A tile of fewer rows or columns: of ``padded`` rows if need be, and first into ``edge``."""
    source, where = numbers, places
    if height < TILE_ROWS:
        first, to_row, to_term = places
        for r in range(height):
            for k in range(depth):
                padded[r * depth + k] = numbers[first + r * to_row + k * to_term]
        source, where = padded, (0, depth, 1)
    _tile(source, where, panel, edge, 0, TILE_COLUMNS, depth, False)
    for r in range(height):
        for c in range(width):
            before = target[at + r * by + c] if add else np.float32(0)
            target[at + r * by + c] = before + edge[r * TILE_COLUMNS + c]


@numba.njit
def multiply_block(left, right, quantize, low, high, rows, columns, onto, out, to, has_gaps):
    """Rows and columns of ``left @ right``, each a first one and the one after the last.

    ``left`` is float32 [rows, terms], ``right`` [terms, columns], one of them may be ``SpikeRows``;
    ``out`` is C-contiguous. What is computed is written there, its corner to row and column ``to``;
    with ``onto`` it is added to what is there. With ``quantize`` the factor ``right`` are real
    weights that count as those on the grid (see ``weights``). Columns begin at a multiple of 32.
    Terms of ``left``, which is read in place then, are looked at first where it ``has_gaps``.
    """
    terms, count = terms_of(right), rows[1] - rows[0]
    most = min(DEPTH, terms)
    panel = np.empty(((most + 1) * TILE_COLUMNS,), np.float32)  # for whole vectors of an odd depth
    edge = np.empty((TILE_ROWS * TILE_COLUMNS,), np.float32)
    padded = np.zeros((TILE_ROWS * most if count % TILE_ROWS else 0,), np.float32)
    room = room_of(left, count, terms)
    numbers, target, by = numbers_of(left, room), out.reshape(-1), out.shape[1]
    counts = np.empty((count // TILE_ROWS if has_gaps else 0,), np.int64)
    listed = np.empty((len(counts) * most,), np.uint8)
    for term in range(0, terms, DEPTH):
        depth = min(DEPTH, terms - term)
        add = onto or term > 0
        copy_rows(left, rows[0], count, term, depth, room)
        if has_gaps:
            first, to_row, _ = place_of(left, rows[0], 0, term, depth)
            list_terms(numbers, first, to_row, depth, counts, listed)
        for column in range(columns[0], columns[1], TILE_COLUMNS):
            width = min(TILE_COLUMNS, columns[1] - column)
            copy_columns(right, column, width, term, depth, panel)
            if quantize:
                _put_on_grid(panel[: depth * TILE_COLUMNS], low, high)
            for row in range(0, count, TILE_ROWS):
                height = min(TILE_ROWS, count - row)
                places = place_of(left, rows[0], row, term, depth)
                at = (to[0] + row) * by + to[1] + column - columns[0]
                tile = row // TILE_ROWS
                if height < TILE_ROWS or width < TILE_COLUMNS:
                    _tile_at_edge(
                        numbers, places, panel, target, at, by, depth, add, height, width, padded,
                        edge,
                    )  # fmt: skip
                elif has_gaps and counts[tile] != ALL:
                    _tile_of_listed(
                        numbers, places, panel, target, at, by, counts[tile], add, listed,
                        tile * most,
                    )  # fmt: skip
                else:
                    _tile(numbers, places, panel, target, at, by, depth, add)


@numba.njit(parallel=True, cache=True, nogil=True)
def _multiply(left, right, quantize, low, high, block, onto, out, has_gaps):
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
            left, right, quantize, low, high, of_rows, of_columns, onto, out, (first, lo), has_gaps
        )


def matmul(
    left: np.ndarray | SpikeRows,
    right: np.ndarray | SpikeRows,
    out: np.ndarray | None = None,
    onto: bool = False,
    bits: int | None = None,
    has_gaps: bool = False,
) -> np.ndarray:
    """``left @ right``, float32 [rows, terms] and [terms, columns], or one of them spikes.

    It is written into ``out`` (C-contiguous), or a buffer of the pool; with ``onto`` it is added to
    what ``out`` holds. Given ``bits``, ``right`` are weights that count as those which
    ``quantization.quantize`` makes of them: a tensor of these is never made. Gaps of ``left``,
    C-contiguous then, are passed over (see ``gaps``), which changes no sum of finite numbers.
    """
    rows, terms = _shape_of(left)
    _, columns = _shape_of(right)
    if out is None:
        out = take((rows, columns), np.float32)
    copied = rows * terms if is_copied(left) else 0
    block = _block(rows, columns, copied)
    _multiply(left, right, *grid_of(bits), block, onto, out, has_gaps)
    return out


def _shape_of(factor: np.ndarray | SpikeRows) -> tuple[int, int]:
    if isinstance(factor, SpikeRows):
        return factor.rows, factor.columns
    rows, columns = factor.shape
    return rows, columns


def _block(rows: int, columns: int, copied: int) -> tuple[int, int]:
    """Rows and columns that a thread takes at a time: for each thread as many, and whole tiles.

    Where numbers of the left factor are ``copied``, all of them, rows are shared out first: threads
    had better not copy the same ones.
    """
    across = -(-columns // _BLOCK_COLUMNS)
    share = -(-rows * (1 if copied else across) // threads())
    most = next((most for few, most in _FEWER_ROWS if 0 < copied < few), _BLOCK_ROWS)
    turns = -(-share // most)
    block_rows = -(-share // (turns * TILE_ROWS)) * TILE_ROWS
    down = -(-rows // block_rows)
    across = -(-across * down // threads()) * threads() // down
    return block_rows, -(-columns // (across * _PANEL)) * _PANEL
