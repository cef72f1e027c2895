"""Tuples of SIMD vectors, for Numba: a neuron has as many states as its equations say.

The time loops do not know how many states, stored values or inputs a neuron has. They pass tuples
on, and these functions load and store all vectors of a tuple. ``count`` must be a constant.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from netdesc.kernels.cpu.runtime.simd import LANES, VECTOR_OF, Ints, intrinsic
from netdesc.kernels.cpu.runtime.simd_memory import lane_mask, masked_load, masked_store, vector_at


def _tuple_of(builder: Any, context: Any, kind: Any, vectors: list[Any]) -> Any:
    return context.make_tuple(builder, kind, vectors)


def _unpack(builder: Any, lanes: Any) -> list[Any]:
    return cgutils.unpack_tuple(builder, lanes)


@intrinsic(prefer_literal=True)
def zero_tuple(context: Any, count: Any) -> Any:
    """Returns ``count`` vectors of ``Ints`` that are 0."""
    kind = types.UniTuple(Ints, count.literal_value)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = [ir.Constant(Ints.vector, None)] * kind.count
        return _tuple_of(builder, context, kind, zeros)

    return kind(count), build


@intrinsic(prefer_literal=True)
def load_tuple(context: Any, array: Any, at: Any, count: Any) -> Any:
    """Loads ``count`` whole vectors that follow one another from ``array[at]`` on."""
    kind = types.UniTuple(VECTOR_OF[array.dtype], count.literal_value)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, align = vector_at(context, builder, signature.args[0], *arguments[:2])
        vectors = [
            builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(64), number)]), align=align)
            for number in range(kind.count)
        ]
        return _tuple_of(builder, context, kind, vectors)

    return kind(array, types.int64, count), build


@intrinsic
def store_tuple(context: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Writes the whole vectors of a tuple one after another, from ``array[at]`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, align = vector_at(context, builder, signature.args[0], *arguments[:2])
        for number, vector in enumerate(_unpack(builder, arguments[2])):
            place = builder.gep(pointer, [ir.Constant(ir.IntType(64), number)])
            builder.store(vector, place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


@intrinsic
def load_each(context: Any, arrays: Any, at: Any, count: Any) -> Any:
    """Loads the vector from ``at`` on of each array of a tuple, as ``simd_memory.load`` does."""
    kind = types.UniTuple(VECTOR_OF[arrays.dtype.dtype], arrays.count)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = arguments[2]
        pointers = _vectors_at(context, builder, signature.args[0], arguments)
        is_whole = builder.icmp_signed("==", count, ir.Constant(count.type, LANES))
        with builder.if_else(is_whole) as (whole, part):
            with whole:
                all_lanes = [builder.load(each, align=align) for each, align in pointers]
                whole_end = builder.block
            with part:
                mask = lane_mask(builder, count)
                some_lanes = [masked_load(builder, *each, mask) for each in pointers]
                part_end = builder.block
        vectors = list[Any]()
        for all_of_one, some_of_one in zip(all_lanes, some_lanes, strict=True):
            either = builder.phi(all_of_one.type)
            either.add_incoming(all_of_one, whole_end)
            either.add_incoming(some_of_one, part_end)
            vectors.append(either)
        return _tuple_of(builder, context, kind, vectors)

    return kind(arrays, types.int64, types.int64), build


@intrinsic
def store_each(context: Any, arrays: Any, at: Any, lanes: Any, count: Any) -> Any:
    """Writes each vector of a tuple to its array from ``at`` on, as ``simd_memory.store`` does."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays, at, lanes, count = arguments
        pointers = _vectors_at(context, builder, signature.args[0], (arrays, at))
        vectors = _unpack(builder, lanes)
        is_whole = builder.icmp_signed("==", count, ir.Constant(count.type, LANES))
        with builder.if_else(is_whole) as (whole, part):
            with whole:
                for vector, (pointer, align) in zip(vectors, pointers, strict=True):
                    builder.store(vector, pointer, align=align)
            with part:
                mask = lane_mask(builder, count)
                for vector, (pointer, align) in zip(vectors, pointers, strict=True):
                    masked_store(builder, vector, pointer, align, mask)
        return context.get_dummy_value()

    return types.void(arrays, types.int64, lanes, types.int64), build


def _vectors_at(context: Any, builder: Any, kind: Any, arguments: Any) -> list[tuple[Any, int]]:
    """Returns, for each array of a tuple, a pointer to its vector, and an element's bytes."""
    return [
        vector_at(context, builder, kind.dtype, array, arguments[1])
        for array in _unpack(builder, arguments[0])
    ]


@intrinsic
def zeros_like_each(context: Any, lanes: Any) -> Any:
    """Returns a tuple of vectors that are 0, of the types of ``lanes``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = [ir.Constant(each.type, None) for each in _unpack(builder, arguments[0])]
        return _tuple_of(builder, context, signature.return_type, zeros)

    return lanes(lanes), build


@intrinsic
def add_product(context: Any, lanes: Any, other: Any, factor: Any) -> Any:
    """Returns ``lanes + other · factor`` of two tuples of ``Floats`` and one vector."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, other, factor = arguments
        pairs = zip(_unpack(builder, lanes), _unpack(builder, other), strict=True)
        sums = [builder.fadd(a, builder.fmul(b, factor)) for a, b in pairs]
        return _tuple_of(builder, context, signature.return_type, sums)

    return lanes(lanes, other, factor), build


@intrinsic
def largest_magnitude(context: Any, lanes: Any) -> Any:
    """Returns the largest magnitude of a tuple of ``Ints``, lane by lane; 0 of no vectors."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        largest = zero = ir.Constant(Ints.vector, None)
        for vector in _unpack(builder, arguments[0]):
            is_negative = builder.icmp_signed("<", vector, zero)
            magnitude = builder.select(is_negative, builder.sub(zero, vector), vector)
            is_larger = builder.icmp_signed(">", magnitude, largest)
            largest = builder.select(is_larger, magnitude, largest)
        return largest

    return Ints(lanes), build


@intrinsic
def maximum_where(context: Any, bits: Any, lanes: Any, other: Any) -> Any:
    """Returns the larger of two tuples of ``Ints``; where the bit is not set, it is ``lanes``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits, lanes, other = arguments
        vectors = list[Any]()
        for a, b in zip(_unpack(builder, lanes), _unpack(builder, other), strict=True):
            is_larger = builder.and_(bits, builder.icmp_signed(">", b, a))
            vectors.append(builder.select(is_larger, b, a))
        return _tuple_of(builder, context, signature.return_type, vectors)

    return lanes(bits, lanes, other), build
