"""Constructors of expressions, which simplify.

A simplification changes no bit of an integer. In real numbers it may round differently, but no NaN
and no infinity is lost or made: ``0 * x`` and ``x - x`` stay, because x may be infinite.

The constructors assert types. Whoever reads equations checks types first, and reports mistakes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from netdesc.neurons.expressions import (
    BOOL,
    COMPARISONS,
    GRID,
    REAL,
    SHARE,
    STATE_LIMIT,
    STATE_UNIT,
    Expression,
    Type,
    expression,
    in_order,
)

MAX_FALL = 60.0
"""``fall`` treats larger arguments as this one, so that float32 keeps its result normal."""


def constant(value: float, type: Type) -> Expression:
    """Returns a number: an int in state units (GRID) or parts of 4096 (SHARE), a float (REAL)."""
    assert type in (GRID, SHARE, REAL)
    return expression("constant", value=float(value) if type is REAL else int(value), type=type)


def number(a: Expression) -> float | None:
    """Returns the value of a constant, None of any other expression."""
    if a.operation != "constant":
        return None
    assert isinstance(a.value, (int, float))
    return a.value


def parameter(name: str, type: Type) -> Expression:
    return expression("parameter", value=name, type=type)


ZERO: Final = constant(0.0, REAL)
ONE: Final = constant(1.0, REAL)


_OF_ONE: dict[str, Callable[[float], float]] = {
    "negate": operator.neg,
    "absolute": abs,
    "saturate": lambda a: max(-STATE_LIMIT, min(STATE_LIMIT, a)),
    "rest": lambda share: STATE_UNIT - share,
    "fall": lambda a: math.exp(-min(a, MAX_FALL)),
    "to_real": lambda a: a / STATE_UNIT,
}
_OF_TWO: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "minimum": min,
    "maximum": max,
    "multiply": operator.mul,
    "divide": float.__truediv__,
    "times": lambda a, share: math.trunc(a * share / STATE_UNIT),  # exact: it has 53 bits
}
FOLDS: dict[str, Callable[..., float]] = {**_OF_ONE, **_OF_TWO}
"""Operation -> its value for numbers."""


def _simple(operation: str, *arguments: Expression, type: Type | None = None) -> Expression:
    """Returns an expression, of its first argument's type unless ``type`` is given.

    It is a number if its arguments are.
    """
    type = type or arguments[0].type
    values = [number(each) for each in arguments]
    if None not in values:
        return constant(FOLDS[operation](*values), type)
    return expression(operation, *arguments, type=type)


def _assert_alike(a: Expression, b: Expression) -> None:
    assert a.type is b.type, (a, b)
    assert a.type in (GRID, REAL), a


def add(a: Expression, b: Expression) -> Expression:
    _assert_alike(a, b)
    if number(a) == 0:
        return b
    if number(b) == 0:
        return a
    if b.operation == "negate":
        return subtract(a, b.arguments[0])
    if a.operation == "negate":
        return subtract(b, a.arguments[0])
    return _simple("add", a, b)


def subtract(a: Expression, b: Expression) -> Expression:
    _assert_alike(a, b)
    if number(b) == 0:
        return a
    if number(a) == 0:
        return negate(b)
    if b.operation == "negate":
        return add(a, b.arguments[0])
    return _simple("subtract", a, b)


def negate(a: Expression) -> Expression:
    assert a.type in (GRID, REAL), a
    if a.operation == "negate":
        return a.arguments[0]
    if a.operation == "subtract":
        return subtract(a.arguments[1], a.arguments[0])
    return _simple("negate", a)


def absolute(a: Expression) -> Expression:
    assert a.type in (GRID, REAL), a
    if a.operation in ("absolute", "fall"):
        return a
    if a.operation == "negate":
        return absolute(a.arguments[0])
    return _simple("absolute", a)


def minimum(a: Expression, b: Expression) -> Expression:
    _assert_alike(a, b)
    return _simple("minimum", a, b)


def maximum(a: Expression, b: Expression) -> Expression:
    _assert_alike(a, b)
    return _simple("maximum", a, b)


def where(condition: Expression, a: Expression, b: Expression) -> Expression:
    _assert_alike(a, b)
    assert condition.type is BOOL, condition
    return a if a is b else expression("where", condition, a, b, type=a.type)


def times(a: Expression, share: Expression) -> Expression:
    assert a.type is GRID, a
    assert share.type is SHARE, share
    return a if number(share) == STATE_UNIT or number(a) == 0 else _simple("times", a, share)


def scale(a: Expression, factor: int) -> Expression:
    assert a.type is GRID, a
    if factor in (1, -1):
        return a if factor == 1 else negate(a)
    if factor == 0:
        return constant(0, GRID)
    value = number(a)
    if value is not None:
        return constant(value * factor, GRID)
    return expression("scale", a, value=factor, type=GRID)


def saturate(a: Expression) -> Expression:
    assert a.type is GRID, a
    return a if a.operation == "saturate" else _simple("saturate", a)


def rest(share: Expression) -> Expression:
    assert share.type is SHARE, share
    return share.arguments[0] if share.operation == "rest" else _simple("rest", share)


def multiply(a: Expression, b: Expression) -> Expression:
    assert a.type is b.type is REAL, (a, b)
    for one, other in ((a, b), (b, a)):
        if number(one) == 1:
            return other
        if number(one) == -1:
            return negate(other)
        if one.operation == "negate":
            return negate(multiply(one.arguments[0], other))
        if other.is_invariant and one.operation == "multiply" and not one.is_invariant:
            # (value · invariant) · invariant: the product of invariants is computed once a run.
            value, factor = one.arguments if one.arguments[1].is_invariant else one.arguments[::-1]
            if factor.is_invariant:
                return multiply(value, multiply(factor, other))
    return _simple("multiply", a, b)


def divide(a: Expression, b: Expression) -> Expression:
    assert a.type is b.type is REAL, (a, b)
    if number(b) == 1:
        return a
    if a.operation == "negate":
        return negate(divide(a.arguments[0], b))
    if number(b) == 0:
        return expression("divide", a, b, type=REAL)
    return _simple("divide", a, b)


def fall(a: Expression) -> Expression:
    assert a.type is REAL, a
    return _simple("fall", a)


def to_real(a: Expression) -> Expression:
    assert a.type in (GRID, SHARE), a
    return _simple("to_real", a, type=REAL)


def compare(operation: str, a: Expression, b: Expression) -> Expression:
    """Returns the condition of one of COMPARISONS."""
    assert operation in COMPARISONS, operation
    _assert_alike(a, b)
    return expression(operation, a, b, type=BOOL)


def both(a: Expression, b: Expression) -> Expression:
    assert a.type is b.type is BOOL, (a, b)
    return a if a is b else expression("and", a, b, type=BOOL)


def either(a: Expression, b: Expression) -> Expression:
    assert a.type is b.type is BOOL, (a, b)
    return a if a is b else expression("or", a, b, type=BOOL)


def with_gradient(a: Expression, *pairs: Expression) -> Expression:
    """Returns ``a``, whose gradient goes to b times c, to d times e, ... of ``pairs`` b, c, d, e.

    Without pairs, no gradient passes.
    """
    assert len(pairs) % 2 == 0
    assert all(each.type is not BOOL for each in pairs[::2])
    assert all(each.type is REAL for each in pairs[1::2])
    return expression("with_gradient", a, *pairs, type=a.type)


def unless_first(a: Expression) -> Expression:
    return a if number(a) == 0 else expression("unless_first", a, type=a.type)


_OF_STATES = (add, subtract, negate, absolute, minimum, maximum, where, times, saturate, rest)
_OF_REALS = (multiply, divide, fall, to_real)
_OF_GRADIENTS = (with_gradient, unless_first)
_CONSTRUCTORS: dict[str, Callable[..., Expression]] = {
    **{each.__name__: each for each in (*_OF_STATES, *_OF_REALS, *_OF_GRADIENTS)},
    **{name: partial(compare, name) for name in COMPARISONS},
    "and": both,
    "or": either,
}


def remake(a: Expression, arguments: tuple[Expression, ...]) -> Expression:
    """Returns the operation of ``a`` with other arguments, simplified. A leaf stays."""
    if arguments == a.arguments:
        return a
    if a.operation == "scale":
        assert isinstance(a.value, int)
        return scale(arguments[0], a.value)
    return _CONSTRUCTORS[a.operation](*arguments)


Change = Callable[[Expression, tuple[Expression, ...]], Expression]


def rewrite(roots: Iterable[Expression], change: Change) -> dict[Expression, Expression]:
    """Rewrites all expressions below ``roots``, arguments first.

    ``change`` takes an expression and its rewritten arguments, and returns what replaces it.
    Returns what each expression became.
    """
    changed: dict[Expression, Expression] = {}
    for each in in_order(roots):
        changed[each] = change(each, tuple(changed[argument] for argument in each.arguments))
    return changed
