"""Tuples of SIMD vectors, for Numba: a neuron has as many states as its equations say.

The time loops do not know how many states, stored values or inputs a neuron has. They pass tuples
on, and these functions load and store all vectors of a tuple. ``count`` must be a constant.
"""

from typing import Any

from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.llvm_code import unpack_tuple
from netdesc.kernels.cpu.runtime.simd import VECTOR_OF, Ints, intrinsic
from netdesc.kernels.cpu.runtime.simd_memory import build_loads, build_stores, vector_at


@intrinsic(prefer_literal=True)
def zero_tuple(context: Any, count: Any) -> Any:
    """Returns ``count`` vectors of ``Ints`` that are 0."""
    kind = types.UniTuple(Ints, count.literal_value)
    zeros = [ir.Constant(Ints.vector, None)] * kind.count
    return kind(count), lambda context, builder, *_: context.make_tuple(builder, kind, zeros)


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
        return context.make_tuple(builder, kind, vectors)

    return kind(array, types.int64, count), build


@intrinsic
def store_tuple(context: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Writes the whole vectors of a tuple one after another, from ``array[at]`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, align = vector_at(context, builder, signature.args[0], *arguments[:2])
        for number, vector in enumerate(unpack_tuple(builder, arguments[2])):
            place = builder.gep(pointer, [ir.Constant(ir.IntType(64), number)])
            builder.store(vector, place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


@intrinsic
def load_each(context: Any, arrays: Any, at: Any, count: Any) -> Any:
    """Loads the vector from ``at`` on of each array of a tuple, as ``simd_memory.load`` does."""
    kind = types.UniTuple(VECTOR_OF[arrays.dtype.dtype], arrays.count)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = _vectors_at(context, builder, signature.args[0], arguments)
        vectors = build_loads(builder, places, arguments[2])
        return context.make_tuple(builder, kind, vectors)

    return kind(arrays, types.int64, types.int64), build


@intrinsic
def store_each(context: Any, arrays: Any, at: Any, lanes: Any, count: Any) -> Any:
    """Writes each vector of a tuple to its array from ``at`` on, as ``simd_memory.store`` does."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays, at, lanes, count = arguments
        places = _vectors_at(context, builder, signature.args[0], (arrays, at))
        build_stores(builder, unpack_tuple(builder, lanes), places, count)
        return context.get_dummy_value()

    return types.void(arrays, types.int64, lanes, types.int64), build


def _vectors_at(context: Any, builder: Any, kind: Any, arguments: Any) -> list[tuple[Any, int]]:
    """Returns, for each array of a tuple, a pointer to its vector, and an element's bytes."""
    return [
        vector_at(context, builder, kind.dtype, array, arguments[1])
        for array in unpack_tuple(builder, arguments[0])
    ]


@intrinsic
def zeros_like_each(context: Any, lanes: Any) -> Any:
    """Returns a tuple of vectors that are 0, of the types of ``lanes``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = [ir.Constant(each.type, None) for each in unpack_tuple(builder, arguments[0])]
        return context.make_tuple(builder, signature.return_type, zeros)

    return lanes(lanes), build


@intrinsic
def add_product(context: Any, lanes: Any, other: Any, factor: Any) -> Any:
    """Returns ``lanes + other · factor`` of two tuples of ``Floats`` and one vector."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, other, factor = arguments
        pairs = zip(unpack_tuple(builder, lanes), unpack_tuple(builder, other), strict=True)
        sums = [builder.fadd(a, builder.fmul(b, factor)) for a, b in pairs]
        return context.make_tuple(builder, signature.return_type, sums)

    return lanes(lanes, other, factor), build


@intrinsic
def largest_magnitude(context: Any, lanes: Any) -> Any:
    """Returns the largest magnitude of a tuple of ``Ints``, lane by lane; 0 of no vectors."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        largest = zero = ir.Constant(Ints.vector, None)
        for vector in unpack_tuple(builder, arguments[0]):
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
        for a, b in zip(unpack_tuple(builder, lanes), unpack_tuple(builder, other), strict=True):
            is_larger = builder.and_(bits, builder.icmp_signed(">", b, a))
            vectors.append(builder.select(is_larger, b, a))
        return context.make_tuple(builder, signature.return_type, vectors)

    return lanes(bits, lanes, other), build
