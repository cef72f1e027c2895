"""Loads, stores and prefetches of SIMD vectors, for Numba.

Arrays are one-dimensional and C-contiguous.
"""

from typing import Any

from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.llvm_code import declare
from netdesc.kernels.cpu.runtime.simd import LANES, VECTOR_OF, Bits, intrinsic, name_of

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def vector_at(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> tuple[Any, int]:
    """Returns a pointer to the vector at element ``at``, and an element's size in bytes."""
    data = context.make_array(kind)(context, builder, array).data
    element = context.get_data_type(kind.dtype)
    first = builder.gep(data, [at])
    vector = ir.VectorType(element, LANES)
    return builder.bitcast(first, vector.as_pointer()), kind.dtype.bitwidth // 8


def lane_mask(builder: Any, count: Any) -> Any:
    """Returns ``Bits`` that are set in the first ``count`` lanes, 0 to ``LANES``."""
    above = builder.shl(ir.Constant(_INT64, -1), count)
    return builder.bitcast(builder.trunc(builder.not_(above), _INT32), Bits.vector)


def build_loads(builder: Any, places: list[tuple[Any, int]], count: Any) -> list[Any]:
    """Builds code that loads ``count`` elements at each of the places; other lanes are 0.

    A place is a result of ``vector_at``.
    """
    is_whole = builder.icmp_signed("==", count, ir.Constant(count.type, LANES))
    with builder.if_else(is_whole) as (whole, part):
        with whole:
            all_lanes = [builder.load(pointer, align=align) for pointer, align in places]
            whole_end = builder.block
        with part:
            mask = lane_mask(builder, count)
            some_lanes = [_masked_load(builder, *each, mask) for each in places]
            part_end = builder.block
    loaded = list[Any]()
    for all_of_one, some_of_one in zip(all_lanes, some_lanes, strict=True):
        either = builder.phi(all_of_one.type)
        either.add_incoming(all_of_one, whole_end)
        either.add_incoming(some_of_one, part_end)
        loaded.append(either)
    return loaded


def build_stores(
    builder: Any, vectors: list[Any], places: list[tuple[Any, int]], count: Any
) -> None:
    """Builds code that writes the first ``count`` lanes of each vector to its place."""
    is_whole = builder.icmp_signed("==", count, ir.Constant(count.type, LANES))
    with builder.if_else(is_whole) as (whole, part):
        with whole:
            for vector, (pointer, align) in zip(vectors, places, strict=True):
                builder.store(vector, pointer, align=align)
        with part:
            mask = lane_mask(builder, count)
            for vector, (pointer, align) in zip(vectors, places, strict=True):
                _masked_store(builder, vector, pointer, align, mask)


def _masked_load(builder: Any, pointer: Any, align: int, mask: Any) -> Any:
    vector = pointer.type.pointee
    name = f"llvm.masked.load.{name_of(vector)}.p0{name_of(vector)}"
    load = declare(builder.module, name, vector, [pointer.type, _INT32, mask.type, vector])
    return builder.call(load, [pointer, _INT32(align), mask, ir.Constant(vector, None)])


def _masked_store(builder: Any, vector: Any, pointer: Any, align: int, mask: Any) -> None:
    name = f"llvm.masked.store.{name_of(vector.type)}.p0{name_of(vector.type)}"
    kinds = [vector.type, pointer.type, _INT32, mask.type]
    store = declare(builder.module, name, ir.VoidType(), kinds)
    builder.call(store, [vector, pointer, _INT32(align), mask])


@intrinsic
def load(context: Any, array: Any, at: Any, count: Any) -> Any:
    """Loads ``count`` elements from ``at`` on into a vector's first lanes; other lanes are 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, count = arguments
        place = vector_at(context, builder, signature.args[0], array, at)
        (loaded,) = build_loads(builder, [place], count)
        return loaded

    return VECTOR_OF[array.dtype](array, types.int64, types.int64), build


@intrinsic
def store(context: Any, array: Any, at: Any, lanes: Any, count: Any) -> Any:
    """Writes the first ``count`` lanes to ``array`` from ``at`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, lanes, count = arguments
        place = vector_at(context, builder, signature.args[0], array, at)
        build_stores(builder, [lanes], [place], count)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes, types.int64), build


@intrinsic
def first_lanes(context: Any, count: Any) -> Any:
    """Returns ``Bits`` that are set in the first ``count`` lanes."""
    return Bits(types.int64), lambda _, builder, signature, arguments: lane_mask(
        builder, *arguments
    )


@intrinsic
def element(context: Any, array: Any, at: Any) -> Any:
    """Returns element ``at`` of an array; ``at`` must not be negative.

    Numba's own indexing would check the sign.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]))

    return array.dtype(array, types.int64), build


PREFETCH_STEPS = 8
"""Number of steps from a prefetch to the load, about 300 nanoseconds (the latency of memory)."""


@intrinsic
def prefetch(context: Any, array: Any, at: Any) -> Any:
    """Prefetches the vector that begins at element ``at``, which may be outside the array.

    Processors do not prefetch by themselves if strides are as large as the rows of a tensor.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, size = vector_at(context, builder, signature.args[0], *arguments)
        first = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kinds = [first.type, _INT32, _INT32, _INT32]
        fetch = declare(builder.module, "llvm.prefetch.p0i8", ir.VoidType(), kinds)
        for_reading, all_caches, data = _INT32(0), _INT32(3), _INT32(1)
        for byte in range(0, LANES * size, 64):
            builder.call(fetch, [builder.gep(first, [_INT64(byte)]), for_reading, all_caches, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), build
