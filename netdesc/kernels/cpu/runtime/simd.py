"""Vectors as values in Numba: what happens to ``LANES`` neighbouring neurons in one step.

A kernel written with them keeps the states of its neurons in registers over all steps. Loops over
arrays would load and store every state in every step, and look at every one whether arrays overlap.
LLVM maps a vector to as many registers as the machine needs for it.

``Ints``, ``Floats`` and ``Doubles`` know ``+ - *`` and comparisons among themselves, and ``Ints``
``& | << >>``; ``Shorts`` know ``+`` alone. ``where`` chooses lane by lane.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import lower_builtin, models

LANES = 32
"""Neurons of a vector: two registers of AVX-512, four of AVX2, eight of NEON."""

# What these decorate is called without the context, which a type checker does not see.
intrinsic: Any = extending.intrinsic
register_model: Any = extending.register_model
_typed_by: Any = templates.infer_global

_INT16, _INT32, _INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FAST = ("contract", "arcp", "nsz", "afn")
"""Fast maths, without its promise that there are no NaN and no infinities.

And without "reassoc": sums and products in another order would round alike in one kernel and not in
the next.
"""


class _Lanes(types.Type):
    """A vector type, by the LLVM type of its elements."""

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


def _two(
    symbol: Callable[..., Any],
    of: tuple[_Lanes, ...],
    result: _Lanes | None,
    build: Callable[[Any, _Lanes, Any, Any], Any],
) -> None:
    """Teach Numba ``symbol`` between two vectors of a type in ``of``."""

    @_typed_by(symbol)
    class _(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and args[0] in of and args[0] == args[1]:
                return signature(result or args[0], *args)
            return None

    for lanes in of:

        @lower_builtin(symbol, lanes, lanes)
        def _(context: Any, builder: Any, made: Any, given: Any, lanes: _Lanes = lanes) -> Any:
            return build(builder, lanes, *given)


def _arithmetic(of_ints: str, of_floats: str) -> Callable[[Any, _Lanes, Any, Any], Any]:
    def build(builder: Any, lanes: _Lanes, a: Any, b: Any) -> Any:
        if lanes in (Shorts, Ints):
            return getattr(builder, of_ints)(a, b)
        return getattr(builder, of_floats)(a, b, flags=_FAST)

    return build


def _comparison(sign: str) -> Callable[[Any, _Lanes, Any, Any], Any]:
    def build(builder: Any, lanes: _Lanes, a: Any, b: Any) -> Any:
        if lanes is Ints:
            return builder.icmp_signed(sign, a, b)
        return builder.fcmp_ordered(sign, a, b)

    return build


_two(operator.add, (Shorts, *_NUMBERS), None, _arithmetic("add", "fadd"))
_two(operator.sub, _NUMBERS, None, _arithmetic("sub", "fsub"))
_two(operator.mul, _NUMBERS, None, _arithmetic("mul", "fmul"))
_two(operator.and_, (Ints, Bits), None, lambda builder, _, a, b: builder.and_(a, b))
_two(operator.or_, (Ints, Bits), None, lambda builder, _, a, b: builder.or_(a, b))
_two(operator.lshift, (Ints,), None, lambda builder, _, a, b: builder.shl(a, b))
_two(operator.rshift, (Ints,), None, lambda builder, _, a, b: builder.ashr(a, b))
for _symbol, _sign in (
    (operator.gt, ">"), (operator.lt, "<"), (operator.ge, ">="), (operator.le, "<="),
    (operator.eq, "=="), (operator.ne, "!="),
):  # fmt: skip
    _two(_symbol, _NUMBERS, Bits, _comparison(_sign))


def spread_number(builder: Any, vector: ir.VectorType, number: Any) -> Any:
    """A vector with ``number`` in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, LANES), None))


VECTOR_OF = {
    types.int16: Shorts, types.int32: Ints, types.uint32: Ints, types.float32: Floats,
    types.float64: Doubles,
}  # fmt: skip
"""The vectors of a type of number."""


@intrinsic
def spread(context: Any, number: Any) -> Any:
    """The number (int16, int32, float32 or float64) in every lane."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return spread_number(builder, made.return_type.vector, given[0])

    return VECTOR_OF[number](number), build


@intrinsic
def zeros_like(context: Any, lanes: Any) -> Any:
    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return ir.Constant(made.return_type.vector, None)

    return lanes(lanes), build


@intrinsic
def cast_like(context: Any, lanes: Any, other: Any) -> Any:
    """``Floats`` or ``Doubles`` as the type of ``other``."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        if made.args[0] == made.args[1]:
            return given[0]
        change = builder.fpext if made.args[1] == Doubles else builder.fptrunc
        return change(given[0], made.return_type.vector)

    return other(lanes, other), build


@intrinsic
def where(context: Any, bits: Any, yes: Any, no: Any) -> Any:
    """``yes`` in the lanes where ``bits`` is set, ``no`` in the others."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return builder.select(*given)

    return yes(bits, yes, no), build


@intrinsic
def as_floats(context: Any, lanes: Any) -> Any:
    """Integers as the nearest floats."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return builder.sitofp(given[0], Floats.vector)

    return Floats(lanes), build


@intrinsic
def as_ints(context: Any, lanes: Any) -> Any:
    """Floats within the range of 32-bit integers, cut off toward zero; bits as 0 and 1; shorts."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        if made.args[0] == Bits:
            return builder.zext(given[0], Ints.vector)
        if made.args[0] == Shorts:
            return builder.sext(given[0], Ints.vector)
        return builder.fptosi(given[0], Ints.vector)

    return Ints(lanes), build


@intrinsic
def nearest(context: Any, lanes: Any) -> Any:
    """The whole numbers nearest to ``Floats``, halves to even, still as floats."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        rint = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(Floats.vector, [Floats.vector]),
            f"llvm.rint.v{LANES}f32",
        )
        return builder.call(rint, [given[0]])

    return lanes(lanes), build


@intrinsic
def bits_of(context: Any, lanes: Any) -> Any:
    """The 32 bits of each of the ``Floats``."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return builder.bitcast(given[0], Ints.vector)

    return Ints(lanes), build


@intrinsic
def sum_of(context: Any, lanes: Any) -> Any:
    """The sum of all lanes of ``Floats``: of the halves, of their quarters, and so on."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        (left,), count = given, LANES
        while count > 1:
            count //= 2
            halves = [
                ir.Constant(ir.VectorType(_INT32, count), list(range(first, first + count)))
                for first in (0, count)
            ]
            nothing = ir.Constant(left.type, ir.Undefined)
            low, high = (builder.shuffle_vector(left, nothing, half) for half in halves)
            left = builder.fadd(low, high)
        return builder.extract_element(left, _INT32(0))

    return types.float32(lanes), build


def name_of(vector: ir.VectorType) -> str:
    element = vector.element
    names = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}
    return f"v{LANES}{names.get(element) or element.intrinsic_name}"


@intrinsic
def largest(context: Any, lanes: Any) -> Any:
    """The largest of ``Ints`` or ``Floats``; NaN does not count."""
    number, symbol = {Ints: (types.int32, "smax"), Floats: (types.float32, "fmax")}[lanes]

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        vector = lanes.vector
        reduce = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector.element, [vector]),
            f"llvm.vector.reduce.{symbol}.{name_of(vector)}",
        )
        return builder.call(reduce, given)

    return number(lanes), build


_EXPONENT = 23
"""Where the exponent of a 32-bit float begins."""

_POWERS = (0.000938116473, 0.00918687438, 0.055278135, 0.240171588, 0.693142171, 0.999999923)
"""Chebyshev's polynomial of degree 5 for 2ˣ between −1 and 0: within 2.4e-7 of it, rounded."""


def _two_to_the(builder: Any, x: Any, above: bool) -> Any:
    """A polynomial for x − ⌈x⌉, and ⌈x⌉ into the exponent; ``above`` says that x may be above 0."""

    def constant(number: float) -> Any:
        return ir.Constant(Floats.vector, [number] * LANES)

    whole = builder.fptosi(x, Ints.vector)  # toward 0
    part = builder.fsub(x, builder.sitofp(whole, Floats.vector))
    if above:
        is_beyond = builder.fcmp_ordered(">", part, constant(0.0))
        whole = builder.add(whole, builder.zext(is_beyond, Ints.vector))
        part = builder.fsub(part, builder.uitofp(is_beyond, Floats.vector))
    power = constant(_POWERS[0])
    for coefficient in _POWERS[1:]:
        product = builder.fmul(power, part, flags=_FAST)
        power = builder.fadd(product, constant(coefficient), flags=_FAST)
    shift = ir.Constant(Ints.vector, [_EXPONENT] * LANES)
    raised = builder.add(builder.bitcast(power, Ints.vector), builder.shl(whole, shift))
    return builder.bitcast(raised, Floats.vector)


@intrinsic
def two_to_the(context: Any, lanes: Any) -> Any:
    """``2ˣ`` of ``Floats`` from −120 to 0."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return _two_to_the(builder, given[0], above=False)

    return lanes(lanes), build


@intrinsic
def two_to_any(context: Any, lanes: Any) -> Any:
    """``2ˣ`` of ``Floats`` from −120 to 120."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        return _two_to_the(builder, given[0], above=True)

    return lanes(lanes), build
