"""SIMD vectors as values in Numba. A vector holds a number for each of ``LANES`` neurons.

A kernel that uses vectors keeps the states of its neurons in registers over all steps. Loops over
arrays would load and store every state in every step, and check whether arrays overlap. LLVM maps a
vector to as many registers as the machine needs for it.

``Ints``, ``Floats`` and ``Doubles`` support ``+ - *`` and comparisons with their own type. ``Ints``
also support ``& | ^ << >>``. ``Bits`` are booleans, such as the result of a comparison, and support
only ``& |``. ``Shorts`` are 16-bit integers, and support only ``+``.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import lower_builtin, models

from netdesc.kernels.cpu.runtime.llvm_code import declare

LANES = 32
"""Number of neurons in a vector: two registers of AVX-512, four of AVX2, eight of NEON."""

# ``Any``, because a type checker does not know that callers omit the argument ``context``.
intrinsic: Any = extending.intrinsic
register_model: Any = extending.register_model
_register_type: Any = extending.type_callable

_INT16, _INT32, _INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FAST = ("contract", "arcp", "nsz", "afn")
"""LLVM's fast-math flags, except "nnan" and "ninf" (which forbid NaN and infinity) and "reassoc".

With "reassoc", the order of additions, and so the rounding, could differ between kernels.
"""


class _Lanes(types.Type):
    def __init__(self, name: str, element: ir.Type) -> None:
        super().__init__(name=f"{name}{LANES}")
        self.vector = ir.VectorType(element, LANES)


Shorts, Ints, Floats, Doubles, Bits = (
    _Lanes("Shorts", _INT16),
    _Lanes("Ints", _INT32),
    _Lanes("Floats", ir.FloatType()),
    _Lanes("Doubles", ir.DoubleType()),
    _Lanes("Bits", ir.IntType(1)),
)
_NUMBERS = (Ints, Floats, Doubles)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: _Lanes) -> None:
        super().__init__(manager, lanes, lanes.vector)


def _define_operator(
    symbol: Callable[..., Any],
    operands: tuple[_Lanes, ...],
    result: _Lanes | None,
    build: Callable[[Any, _Lanes, Any, Any], Any],
) -> None:
    """``result`` is the type of the result; None means the operands' type."""

    @_register_type(symbol)
    def _(context: Any) -> Any:
        def type_of(a: Any, b: Any) -> Any:
            return (result or a) if a in operands and a == b else None

        return type_of

    for lanes in operands:

        @lower_builtin(symbol, lanes, lanes)
        def _(context: Any, builder: Any, _: Any, arguments: Any, lanes: _Lanes = lanes) -> Any:
            return build(builder, lanes, *arguments)


def _arithmetic(int_method: str, float_method: str) -> Callable[[Any, _Lanes, Any, Any], Any]:
    def build(builder: Any, lanes: _Lanes, a: Any, b: Any) -> Any:
        if lanes in (Floats, Doubles):
            return getattr(builder, float_method)(a, b, flags=_FAST)
        return getattr(builder, int_method)(a, b)

    return build


def _comparison(sign: str) -> Callable[[Any, _Lanes, Any, Any], Any]:
    def build(builder: Any, lanes: _Lanes, a: Any, b: Any) -> Any:
        if lanes is Ints:
            return builder.icmp_signed(sign, a, b)
        return builder.fcmp_ordered(sign, a, b)

    return build


_define_operator(operator.add, (Shorts, *_NUMBERS), None, _arithmetic("add", "fadd"))
_define_operator(operator.sub, _NUMBERS, None, _arithmetic("sub", "fsub"))
_define_operator(operator.mul, _NUMBERS, None, _arithmetic("mul", "fmul"))
_define_operator(operator.truediv, (Floats, Doubles), None, _arithmetic("", "fdiv"))
_define_operator(operator.and_, (Ints, Bits), None, _arithmetic("and_", ""))
_define_operator(operator.or_, (Ints, Bits), None, _arithmetic("or_", ""))
_define_operator(operator.xor, (Ints,), None, _arithmetic("xor", ""))
_define_operator(operator.lshift, (Ints,), None, _arithmetic("shl", ""))
_define_operator(operator.rshift, (Ints,), None, _arithmetic("ashr", ""))
for _symbol, _sign in (
    (operator.gt, ">"), (operator.lt, "<"), (operator.ge, ">="), (operator.le, "<="),
    (operator.eq, "=="), (operator.ne, "!="),
):  # fmt: skip
    _define_operator(_symbol, _NUMBERS, Bits, _comparison(_sign))


def broadcast_number(builder: Any, vector: ir.VectorType, number: Any) -> Any:
    """Returns a vector with ``number`` in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, _INT32(0))
    zeros = ir.Constant(ir.VectorType(_INT32, vector.count), None)
    return builder.shuffle_vector(first, undefined, zeros)


VECTOR_OF = {
    types.int16: Shorts, types.int32: Ints, types.uint32: Ints, types.float32: Floats,
    types.float64: Doubles,
}  # fmt: skip
"""Maps a type of numbers to its vector type."""


def instruction(name: str, *more: Any) -> Callable[..., Any]:
    """Returns what builds the code of an intrinsic: one instruction of its arguments and ``more``.

    ``name`` is that of llvmlite's method.
    """
    return lambda context, builder, signature, arguments: getattr(builder, name)(*arguments, *more)


@intrinsic
def broadcast(context: Any, number: Any) -> Any:
    """Returns a vector with ``number`` (int16, int32, float32 or float64) in every lane."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast_number(builder, signature.return_type.vector, arguments[0])

    return VECTOR_OF[number](number), build


@intrinsic
def zeros_like(context: Any, lanes: Any) -> Any:
    return lanes(lanes), lambda *_: ir.Constant(lanes.vector, None)


@intrinsic
def cast_like(context: Any, lanes: Any, other: Any) -> Any:
    """Converts ``Floats`` or ``Doubles`` to the type of ``other``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if lanes == other:
            return arguments[0]
        change = builder.fpext if other == Doubles else builder.fptrunc
        return change(arguments[0], other.vector)

    return other(lanes, other), build


@intrinsic
def where(context: Any, bits: Any, if_set: Any, if_clear: Any) -> Any:
    """Selects ``if_set`` in the lanes whose bit is set, ``if_clear`` in the others."""
    return if_set(bits, if_set, if_clear), instruction("select")


@intrinsic
def as_floats(context: Any, lanes: Any) -> Any:
    """Converts ``Ints`` to the nearest ``Floats``."""
    return Floats(lanes), instruction("sitofp", Floats.vector)


@intrinsic
def as_ints(context: Any, lanes: Any) -> Any:
    """Converts ``Floats`` (truncated toward zero), ``Bits`` (0 and 1) or ``Shorts`` to ``Ints``.

    The floats must be in the range of 32-bit integers.
    """
    name = {Floats: "fptosi", Bits: "zext", Shorts: "sext"}[lanes]
    return Ints(lanes), instruction(name, Ints.vector)


@intrinsic
def nearest(context: Any, lanes: Any) -> Any:
    """Rounds ``Floats`` to the nearest whole numbers, ties to even."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.rint.v{LANES}f32"
        rint = declare(builder.module, name, Floats.vector, [Floats.vector])
        return builder.call(rint, [arguments[0]])

    return lanes(lanes), build


@intrinsic
def bits_of(context: Any, lanes: Any) -> Any:
    """Returns the bits of ``Floats`` as ``Ints``."""
    return Ints(lanes), instruction("bitcast", Ints.vector)


def name_of(vector: ir.VectorType) -> str:
    """Returns a vector type's suffix in the names of LLVM's intrinsics, such as ``v32f32``."""
    element = vector.element
    names = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}
    return f"v{LANES}{names.get(element) or element.intrinsic_name}"


_EXPONENT = 23
"""Position of the lowest bit of the exponent in a 32-bit float."""

_POWERS = (0.000938116473, 0.00918687438, 0.055278135, 0.240171588, 0.693142171, 0.999999923)
"""Chebyshev polynomial for 2ˣ, x from −1 to 0, highest power first. The error is up to 2.4e-7."""


@intrinsic
def exp2_nonpositive(context: Any, lanes: Any) -> Any:
    """Computes ``2ˣ`` of ``Floats`` from −120 to 0.

    It is the polynomial of x − ⌈x⌉, with ⌈x⌉ added to the exponent.
    """

    def constant(number: float) -> Any:
        return ir.Constant(Floats.vector, [number] * LANES)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.fptosi(arguments[0], Ints.vector)  # rounds toward 0
        fraction = builder.fsub(arguments[0], builder.sitofp(whole, Floats.vector))
        power = constant(_POWERS[0])
        for coefficient in _POWERS[1:]:
            product = builder.fmul(power, fraction, flags=_FAST)
            power = builder.fadd(product, constant(coefficient), flags=_FAST)
        shift = ir.Constant(Ints.vector, [_EXPONENT] * LANES)
        raised = builder.add(builder.bitcast(power, Ints.vector), builder.shl(whole, shift))
        return builder.bitcast(raised, Floats.vector)

    return lanes(lanes), build


assert LANES == 32, "the spikes of a vector fill a 32-bit bitmask"


@intrinsic
def to_bitmask(context: Any, bits: Any) -> Any:
    """Converts ``Bits`` to an int32 bitmask."""
    return types.int32(bits), instruction("bitcast", _INT32)


@intrinsic
def from_bitmask(context: Any, bitmask: Any) -> Any:
    """Converts an int32 bitmask to ``Bits``."""
    return Bits(types.int32), instruction("bitcast", Bits.vector)


@intrinsic
def count_bits(context: Any, bitmask: Any) -> Any:
    """Counts the bits that are set in an int64."""
    return types.int64(types.int64), instruction("ctpop")


@intrinsic
def lowest_bit(context: Any, bitmask: Any) -> Any:
    """Returns the position of the lowest bit that is set in an int64, which must not be 0."""
    return types.int64(types.int64), instruction("cttz", ir.Constant(ir.IntType(1), 1))
