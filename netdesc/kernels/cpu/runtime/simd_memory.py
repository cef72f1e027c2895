"""Vectors between arrays and registers, for Numba: loads, stores and prefetches.

Arrays are one-dimensional and C-contiguous.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from netdesc.kernels.cpu.runtime.simd import LANES, VECTOR_OF, intrinsic, name_of, spread_number

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> tuple[Any, int]:
    """A pointer to the vector that begins at element ``at``, and the bytes of an element."""
    data = context.make_array(kind)(context, builder, array).data
    element = context.get_data_type(kind.dtype)
    first = builder.gep(data, [at])
    vector = ir.VectorType(element, LANES)
    return builder.bitcast(first, vector.as_pointer()), kind.dtype.bitwidth // 8


def _mask(builder: Any, count: Any) -> Any:
    """Bits of the first ``count`` lanes."""
    vector = ir.VectorType(_INT64, LANES)
    numbers = ir.Constant(vector, list(range(LANES)))
    return builder.icmp_signed("<", numbers, spread_number(builder, vector, count))


@intrinsic
def element(context: Any, array: Any, at: Any) -> Any:
    """The element ``at``, which is not negative: Numba by itself counts such ones from the end."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        data = context.make_array(made.args[0])(context, builder, given[0]).data
        return builder.load(builder.gep(data, [given[1]]))

    return array.dtype(array, types.int64), build


_BYTE = ir.IntType(8)


AHEAD = 8
"""Steps ahead to ask for memory: some 300 nanoseconds, as long as it takes."""


@intrinsic
def prefetch(context: Any, array: Any, at: Any) -> Any:
    """Ask for the vector that begins at element ``at`` to be brought into the cache.

    Rows of a tensor lie further apart than a processor looks ahead by itself. ``at`` may be outside
    the array.
    """

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place, size = _place(context, builder, made.args[0], *given)
        first = builder.bitcast(place, _BYTE.as_pointer())
        fetch = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [first.type, _INT32, _INT32, _INT32]),
            "llvm.prefetch.p0i8",
        )
        to_read, all_caches, data = _INT32(0), _INT32(3), _INT32(1)
        for byte in range(0, LANES * size, 64):
            builder.call(fetch, [builder.gep(first, [_INT64(byte)]), to_read, all_caches, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), build


@intrinsic
def _load_all(context: Any, array: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place, align = _place(context, builder, made.args[0], *given)
        return builder.load(place, align=align)

    return VECTOR_OF[array.dtype](array, types.int64), build


@intrinsic
def _load_some(context: Any, array: Any, at: Any, count: Any) -> Any:
    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place, align = _place(context, builder, made.args[0], *given[:2])
        vector = place.type.pointee
        load = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(
                vector, [place.type, _INT32, ir.VectorType(ir.IntType(1), LANES), vector]
            ),
            f"llvm.masked.load.{name_of(vector)}.p0{name_of(vector)}",
        )
        mask, zeros = _mask(builder, given[2]), ir.Constant(vector, None)
        return builder.call(load, [place, _INT32(align), mask, zeros])

    return VECTOR_OF[array.dtype](array, types.int64, types.int64), build


@intrinsic
def _store_all(context: Any, array: Any, at: Any, lanes: Any) -> Any:
    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place, align = _place(context, builder, made.args[0], *given[:2])
        builder.store(given[2], place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


@intrinsic
def _store_some(context: Any, array: Any, at: Any, lanes: Any, count: Any) -> Any:
    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place, align = _place(context, builder, made.args[0], *given[:2])
        vector = place.type.pointee
        store = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(
                ir.VoidType(),
                [vector, place.type, _INT32, ir.VectorType(ir.IntType(1), LANES)],
            ),
            f"llvm.masked.store.{name_of(vector)}.p0{name_of(vector)}",
        )
        builder.call(store, [given[2], place, _INT32(align), _mask(builder, given[3])])
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes, types.int64), build


@numba.njit(inline="always")
def load(array, at, count):
    """The ``count`` elements from ``at`` on, in the first lanes; 0 in the others."""
    return _load_all(array, at) if count == LANES else _load_some(array, at, count)


@numba.njit(inline="always")
def store(array, at, lanes, count):
    """Write the first ``count`` lanes to ``array`` from ``at`` on."""
    if count == LANES:
        _store_all(array, at, lanes)
    else:
        _store_some(array, at, lanes, count)
