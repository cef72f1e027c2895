"""Whatever makes expressions simplifies them, and changes no integer and no NaN by it."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support.program_interpreter import evaluate

from netdesc.neurons import expressions as e
from netdesc.neurons.expressions import ONE, ZERO, Expression, constant, in_order, make, to_real
from netdesc.neurons.operations import GRID, REAL, SHARE, STATE_LIMIT

X, Y = (e.expression("state", value=name, type=GRID) for name in "xy")
R = to_real(X)
WIDTH, PEAK = e.parameter("width", REAL), e.parameter("peak", REAL)
D = e.parameter("d", SHARE)


@pytest.mark.parametrize(
    ("made", "simple"),
    [
        (X + constant(0, GRID), X),
        (make("negate", -X), X),
        (-(X - Y), Y - X),
        (e.scale(X, -1), -X),
        (e.make("saturate", e.make("saturate", X)), e.make("saturate", X)),
        (X * constant(4096, SHARE), X),
        (e.make("rest", e.make("rest", D)), D),
        (to_real(constant(2048, GRID)), constant(0.5, REAL)),
        (R * PEAK * WIDTH, R * (PEAK * WIDTH)),
    ],
)
def test_simplifications(made: Expression, simple: Expression) -> None:
    assert made is simple


@pytest.mark.parametrize("made", [R * ZERO, R - R, ZERO / R, ONE / ZERO])
def test_what_may_be_infinite_or_nan_stays(made: Expression) -> None:
    assert made.operation != "constant"


def test_types_are_asserted() -> None:
    for build in (lambda: X + R, lambda: X * X, lambda: make("less", X, R)):
        with pytest.raises(AssertionError):
            build()


@st.composite
def sums(draw: st.DrawFn, depth: int = 4) -> tuple[Expression, int]:
    """Returns an expression and its value at x = 5, y = -7, computed without it."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        number = draw(st.integers(-3, 3))
        leaves = [(X, 5), (Y, -7), (constant(number, GRID), number)]
        return draw(st.sampled_from(leaves))
    (left, p), (right, q) = draw(sums(depth - 1)), draw(sums(depth - 1))
    limited = max(-STATE_LIMIT, min(STATE_LIMIT, p))
    options = [
        (left + right, p + q),
        (left - right, p - q),
        (-left, -p),
        (abs(left), abs(p)),
        (make("minimum", left, right), min(p, q)),
        (make("maximum", left, right), max(p, q)),
        (e.scale(left, 3), 3 * p),
        (e.scale(left, -1), -p),
        (e.make("saturate", left), limited),
        (e.where(make("less", left, right), left, right), p if p < q else q),
    ]
    return draw(st.sampled_from(options))


@given(sums())
def test_values_are_those_of_plain_integers(case: tuple[Expression, int]) -> None:
    made, value = case
    order = in_order([made])
    assert evaluate(order, {("state", "x"): 5, ("state", "y"): -7})[made] == value


def test_fall_ends_where_float32_is_still_normal() -> None:
    assert make("fall", constant(100, REAL)) is constant(math.exp(-60), REAL)
