"""Constructors simplify, and change no integer and no NaN by it."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support.program_interpreter import evaluate

from netdesc.neurons import arithmetic as a
from netdesc.neurons.expressions import (
    GRID,
    REAL,
    SHARE,
    STATE_LIMIT,
    Expression,
    expression,
    in_order,
)

X, Y = (expression("state", value=name, type=GRID) for name in "xy")
R = a.to_real(X)
WIDTH, PEAK = a.parameter("width", REAL), a.parameter("peak", REAL)


@pytest.mark.parametrize(
    ("made", "simple"),
    [
        (a.add(X, a.constant(0, GRID)), X),
        (a.negate(a.negate(X)), X),
        (a.add(X, a.negate(Y)), a.subtract(X, Y)),
        (a.subtract(X, a.negate(Y)), a.add(X, Y)),
        (a.negate(a.subtract(X, Y)), a.subtract(Y, X)),
        (a.scale(X, 0), a.constant(0, GRID)),
        (a.scale(X, -1), a.negate(X)),
        (a.saturate(a.saturate(X)), a.saturate(X)),
        (a.times(X, a.constant(4096, SHARE)), X),
        (a.rest(a.rest(a.parameter("d", SHARE))), a.parameter("d", SHARE)),
        (a.multiply(a.constant(2, REAL), a.constant(3, REAL)), a.constant(6, REAL)),
        (a.to_real(a.constant(2048, GRID)), a.constant(0.5, REAL)),
        (a.multiply(a.multiply(R, PEAK), WIDTH), a.multiply(R, a.multiply(PEAK, WIDTH))),
        (a.multiply(a.negate(R), PEAK), a.negate(a.multiply(R, PEAK))),
    ],
)
def test_simplifications(made: Expression, simple: Expression) -> None:
    assert made is simple


@pytest.mark.parametrize(
    "made", [a.multiply(R, a.ZERO), a.subtract(R, R), a.divide(a.ZERO, R), a.divide(a.ONE, a.ZERO)]
)
def test_what_may_be_infinite_or_nan_stays(made: Expression) -> None:
    assert made.operation != "constant"


def test_types_are_asserted() -> None:
    for build in (lambda: a.add(X, R), lambda: a.times(X, X), lambda: a.compare("less", X, R)):
        with pytest.raises(AssertionError):
            build()


@st.composite
def sums(draw: st.DrawFn, depth: int = 4) -> tuple[Expression, int]:
    """Returns an expression and its value at x = 5, y = -7, computed without it."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        number = draw(st.integers(-3, 3))
        leaves = [(X, 5), (Y, -7), (a.constant(number, GRID), number)]
        return draw(st.sampled_from(leaves))
    (left, p), (right, q) = draw(sums(depth - 1)), draw(sums(depth - 1))
    limited = max(-STATE_LIMIT, min(STATE_LIMIT, p))
    options = [
        (a.add(left, right), p + q),
        (a.subtract(left, right), p - q),
        (a.negate(left), -p),
        (a.absolute(left), abs(p)),
        (a.minimum(left, right), min(p, q)),
        (a.maximum(left, right), max(p, q)),
        (a.scale(left, 3), 3 * p),
        (a.scale(left, -1), -p),
        (a.saturate(left), limited),
        (a.where(a.compare("less", left, right), left, right), p if p < q else q),
    ]
    return draw(st.sampled_from(options))


@given(sums())
def test_values_are_those_of_plain_integers(case: tuple[Expression, int]) -> None:
    made, value = case
    order = in_order([made])
    assert evaluate(order, {("state", "x"): 5, ("state", "y"): -7})[made] == value


def test_fall_ends_where_float32_is_still_normal() -> None:
    assert a.fall(a.constant(100, REAL)) is a.constant(math.exp(-60), REAL)
