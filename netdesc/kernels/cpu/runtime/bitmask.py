"""Bitmasks: the spikes of a vector of neurons as one integer, bit ``i`` for lane ``i``."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.simd import LANES, Bits, intrinsic

assert LANES == 32, "the spikes of a vector fill a 32-bit bitmask"


@intrinsic
def to_bitmask(context: Any, bits: Any) -> Any:
    """Converts ``Bits`` to an int32 bitmask."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(LANES))

    return types.int32(bits), build


@intrinsic
def from_bitmask(context: Any, bitmask: Any) -> Any:
    """Converts an int32 bitmask to ``Bits``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], Bits.vector)

    return Bits(types.int32), build


@intrinsic
def count_bits(context: Any, bitmask: Any) -> Any:
    """Counts the bits that are set in an int64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), build


@intrinsic
def lowest_bit(context: Any, bitmask: Any) -> Any:
    """Returns the position of the lowest bit that is set in an int64, which must not be 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build
