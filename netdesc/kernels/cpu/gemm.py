"""The float32 matrix product on Numba's threads.

Torch's matrix product would use a second thread pool. Threads of both pools spin while they wait
for work, and so take cores from each other. This product runs on the threads of the other kernels,
and is as fast as a vendor's library. The number of threads does not change the order of additions:
each sum adds its terms from first to last, in blocks of ``MAX_PANEL_TERMS`` terms.

The algorithm is by Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008). The right factor is copied in panels (a few columns and up to ``MAX_PANEL_TERMS`` terms). A
tile of the result stays in vector registers while the terms of a panel are added to it. The loop
uses LLVM's vectors, because loops over arrays would load and store every sum at every term. The
left factor is read in place if the terms of its rows are contiguous, otherwise from a copy.
"""

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.layout import Matrix, matrix_of
from netdesc.kernels.cpu.runtime.llvm_code import declare, unpack_tuple
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import broadcast_number, intrinsic
from netdesc.kernels.cpu.runtime.simd_memory import load, prefetch, store
from netdesc.kernels.cpu.runtime.threads import current_call

_HAS_32_REGISTERS = llvm.get_host_cpu_features().get("avx512f", False)

TILE_ROWS, TILE_COLUMNS = (12, 32) if _HAS_32_REGISTERS else (6, 16)
"""Size of a tile. Its sums fill 24 of 32 registers of AVX-512 or NEON, 12 of 16 of AVX2.

With larger tiles, fewer numbers are read from the cache for each product.
"""

MAX_PANEL_TERMS = 256
"""Largest number of terms in a panel; two such panels fit in the L1 cache."""

_VECTOR_FLOATS = 16
"""Number of floats in an LLVM vector. If registers are shorter, LLVM uses several of them."""

_MAX_BLOCK_ROWS, _MAX_BLOCK_COLUMNS = 192, 512
"""Largest block of the result, in rows and columns; a thread computes one block at a time."""

_BLOCK_COLUMNS_UNIT = 32
"""The number of columns of each block, except the last, is a multiple of this number."""

_ROWS_PER_POINTER = 3
"""Number of tile rows that share a pointer, as registers do not suffice for a pointer per row."""

_VECTOR = ir.VectorType(ir.FloatType(), _VECTOR_FLOATS)
_INT64 = ir.IntType(64)


@intrinsic
def multiply_tile(context: Any, left: Any, right: Any, out: Any, at: Any, depth: Any, add: Any):
    """Computes one tile: ``out (+)= left [rows, depth] @ right [depth, columns]``.

    ``left`` and ``out`` are ``Matrix``, ``right`` is a panel. The tile begins at element ``at`` of
    ``out``. With ``add``, the sums are added to the elements of ``out``.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(kind: Any, array: Any) -> Any:
            return context.make_array(kind)(context, builder, array).data

        (left_value, right_value, out_value, at, depth, add) = arguments
        numbers, start, to_row, to_term = unpack_tuple(builder, left_value)
        first = builder.gep(data(left[0], numbers), [start])
        sums = _sum_up(builder, (first, to_row, to_term), data(right, right_value), depth)
        out_numbers, _, by_row, _ = unpack_tuple(builder, out_value)
        tile_pointer = builder.gep(data(out[0], out_numbers), [at])
        is_added = builder.icmp_signed("!=", add, add.type(0))
        _write_tile(builder, sums, tile_pointer, by_row, is_added)
        return context.get_dummy_value()

    return types.void(left, right, out, at, depth, add), build


def _write_tile(builder: Any, sums: Any, tile_pointer: Any, by_row: Any, add: Any) -> None:
    """Stores a tile's sums at ``tile_pointer`` or, with ``add``, adds them to the numbers there."""
    for row, vectors in enumerate(sums):
        start = builder.gep(tile_pointer, [builder.mul(by_row, _INT64(row))])
        for number, total in enumerate(vectors):
            pointer = _vector_at(builder, start, _VECTOR_FLOATS * number)
            with builder.if_else(add) as (then, otherwise):
                with then:
                    old = builder.load(pointer, align=4)
                    builder.store(builder.fadd(old, total), pointer, align=4)
                with otherwise:
                    builder.store(total, pointer, align=4)


def _sum_up(builder: Any, left: tuple[Any, Any, Any], right: Any, depth: Any) -> list[list[Any]]:
    """Builds the loop over the terms. Returns the sums, a list of vectors for each tile row."""
    first, to_row, to_term = left
    rows = _row_pointers(builder, first, to_row)
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
    name = f"llvm.fmuladd.v{_VECTOR_FLOATS}f32"
    multiply_add = declare(builder.module, name, _VECTOR, [_VECTOR] * 3)
    # This order of instructions keeps only one row's factor in a register at a time.
    new_sums: list[list[Any]] = []
    along = builder.mul(term, to_term)
    for row in range(TILE_ROWS):
        number = builder.load(builder.gep(rows[row], [along]), align=4)
        factor = broadcast_number(builder, _VECTOR, number)
        new_sums.append(
            [
                builder.call(multiply_add, [factor, vector, total])
                for vector, total in zip(vectors, sums[row], strict=True)
            ]
        )
    following = builder.add(term, _INT64(1))
    term.add_incoming(_INT64(0), before)
    term.add_incoming(following, loop)
    zero = ir.Constant(_VECTOR, None)
    for row, new_row in zip(sums, new_sums, strict=True):
        for total, new in zip(row, new_row, strict=True):
            total.add_incoming(zero, before)
            total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    builder.position_at_end(after)
    return new_sums


def _row_pointers(builder: Any, first: Any, to_row: Any) -> list[Any]:
    """Returns pointers to a tile's rows. Hides from LLVM that the rows are equally spaced.

    Otherwise LLVM would compute each pointer from the previous pointer at every term, and this
    chain of additions takes as long as the products. An empty assembly instruction hides how a
    pointer was computed.
    """
    kind = ir.FunctionType(first.type, [first.type])
    hidden = [
        builder.asm(
            kind, "", "=r,0", [builder.gep(first, [builder.mul(to_row, _INT64(row))])], False
        )
        for row in range(0, TILE_ROWS, _ROWS_PER_POINTER)
    ]
    return [
        builder.gep(group, [builder.mul(to_row, _INT64(row))])
        for group in hidden
        for row in range(_ROWS_PER_POINTER)
    ]


def _vector_at(builder: Any, first: Any, offset: int) -> Any:
    return builder.bitcast(builder.gep(first, [_INT64(offset)]), _VECTOR.as_pointer())


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
        at = right.start + (term + k) * right.by_row + column * right.by_column
        to = k * TILE_COLUMNS
        if right.by_column == 1:
            store(panel, to, load(right.numbers, at, width), TILE_COLUMNS)
        else:
            for c in range(width):
                panel[np.uint64(to + c)] = right.numbers[np.uint64(at + c * right.by_column)]
            for c in range(width, TILE_COLUMNS):
                panel[np.uint64(to + c)] = 0


@numba.njit(inline="always")
def _memory_ends(terms):
    """Returns the ends of the panel and of an edge in a row of scratch memory; copies follow."""
    depth = min(MAX_PANEL_TERMS, terms)
    panel = (depth + 1) * TILE_COLUMNS
    return panel, panel + TILE_ROWS * (TILE_COLUMNS + depth)


def product_memory(rows: int, terms: int, is_copied: bool) -> int:
    """Returns the numbers of a thread's scratch memory for ``multiply_block``.

    A block has ``rows`` rows. ``is_copied`` says that the rows of the left factor are not
    contiguous, so that they are copied.
    """
    _, size = _memory_ends.py_func(terms)
    if is_copied:
        size += tiles_in.py_func(rows) * TILE_ROWS * min(MAX_PANEL_TERMS, terms)
    return size


@jit_no_refcount
def _multiply_edge(tile, panel, depth, size, add, out, at, memory):
    """Computes a tile at the edge of ``out``, which has only ``size`` rows and columns.

    ``tile`` (rows of the left factor) is copied and padded to a whole tile. ``panel`` has the width
    of a whole tile already. ``memory`` holds a tile of the result, and then the copy.
    """
    height, width = size
    edge, padded = memory[: TILE_ROWS * TILE_COLUMNS], memory[TILE_ROWS * TILE_COLUMNS :]
    for number in range(height * depth, TILE_ROWS * depth):
        padded[number] = 0
    for r in range(height):
        for k in range(depth):
            source = np.uint64(tile.start + r * tile.by_row + k * tile.by_column)
            padded[r * depth + k] = tile.numbers[source]
    whole = Matrix(edge, 0, TILE_COLUMNS, 1)
    multiply_tile(Matrix(padded, 0, depth, 1), panel, whole, 0, depth, False)
    for r in range(height):
        for c in range(width):
            to = np.uint64(at + r * out.by_row + c)
            old = out.numbers[to] if add else np.float32(0)
            out.numbers[to] = old + edge[r * TILE_COLUMNS + c]


@jit_no_refcount
def multiply_block(left, right, shape, out, memory):
    """Computes ``out = left @ right`` on one thread; all three are ``Matrix``.

    The rows of ``out`` are contiguous. ``shape`` is the number of rows, terms and columns.
    ``memory`` is this thread's row of the scratch memory.
    """
    rows, terms, columns = shape
    copy_terms = 0 if left.by_column == 1 else min(MAX_PANEL_TERMS, terms)
    panel_end, edge_end = _memory_ends(terms)
    panel, edge = memory[:panel_end], memory[panel_end:edge_end]
    left_copy = memory[edge_end : len(memory) if copy_terms else edge_end]  # empty: not copied
    for term in range(0, terms, MAX_PANEL_TERMS):
        depth = min(MAX_PANEL_TERMS, terms - term)
        if copy_terms:
            copy_left(left, rows, term, depth, left_copy)
        for column in range(0, columns, TILE_COLUMNS):
            width = min(TILE_COLUMNS, columns - column)
            copy_panel(right, term, depth, column, width, panel)
            for row in range(0, rows, TILE_ROWS):
                height = min(TILE_ROWS, rows - row)
                tile = left_tile(left, left_copy, row, term, depth)
                at = out.start + row * out.by_row + column
                for r in range(height):
                    prefetch(out.numbers, at + r * out.by_row)
                if height < TILE_ROWS or width < TILE_COLUMNS:
                    _multiply_edge(tile, panel, depth, (height, width), term > 0, out, at, edge)
                else:
                    multiply_tile(tile, panel, out, at, depth, term > 0)


@kernel
def _multiply(left, right, shape_and_block, out, memory, threads, thread):
    """``shape_and_block``: ((rows, terms, columns), (rows of a block, columns of a block))."""
    (rows, terms, columns), block = shape_and_block
    row_blocks = (rows + block[0] - 1) // block[0]
    column_blocks = (columns + block[1] - 1) // block[1]
    for item in share_of(row_blocks * column_blocks, threads, thread):
        row, column = item // column_blocks * block[0], item % column_blocks * block[1]
        right_columns = Matrix(
            right.numbers, right.start + column * right.by_column, right.by_row, right.by_column
        )
        to = Matrix(out.numbers, out.start + row * out.by_row + column, out.by_row, 1)
        part = min(block[0], rows - row), terms, min(block[1], columns - column)
        multiply_block(at_row(left, row), right_columns, part, to, memory[thread])


def matmul(left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Returns ``left @ right``, the product of [rows, terms] and [terms, columns].

    All arrays are float32. The factors are C- or F-contiguous, ``out`` is C-contiguous. The product
    is written to ``out``. Without ``out``, a new array is returned.
    """
    (rows, terms), (_, columns) = left.shape, right.shape
    if out is None:
        out = allocate((rows, columns), np.float32)
    left_matrix, right_matrix = matrix_of(left), matrix_of(right)
    threads, is_copied = current_call.threads, left_matrix.by_column != 1
    block = _block(rows, columns, threads, is_copied)
    memory = allocate((threads, product_memory(block[0], terms, is_copied)), np.float32)
    size = (rows, terms, columns), block
    _multiply(left_matrix, right_matrix, size, matrix_of(out), memory)
    return out


def _block(rows: int, columns: int, threads: int, is_copied: bool) -> tuple[int, int]:
    """Returns the number of rows and columns of a block.

    A block consists of whole tiles, and all threads get about the same number of blocks. If the
    left factor ``is_copied``, the rows are divided first, so that threads copy different rows.
    """
    column_blocks = -(-columns // _MAX_BLOCK_COLUMNS)
    rows_per_thread = -(-rows * (1 if is_copied else column_blocks) // threads)
    blocks_per_thread = -(-rows_per_thread // _MAX_BLOCK_ROWS)
    block_rows = -(-rows_per_thread // (blocks_per_thread * TILE_ROWS)) * TILE_ROWS
    row_blocks = -(-rows // block_rows)
    column_blocks = -(-column_blocks * row_blocks // threads) * threads // row_blocks
    unit = column_blocks * _BLOCK_COLUMNS_UNIT
    return block_rows, -(-columns // unit) * _BLOCK_COLUMNS_UNIT
