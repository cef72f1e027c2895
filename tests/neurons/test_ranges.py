"""32 bits hold every integer, far with saturation and near without."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from support.equations import Case, cases
from support.neuron_definitions import ALIF, CUBA, SIGMA_DELTA
from support.program_interpreter import VALUES, evaluate, on_grid, run_case, toward_zero

from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.mistakes import EquationError
from netdesc.neurons.operations import GRID, STATE_LIMIT
from netdesc.neurons.program import Program

MAX_INT = 2**31 - 1


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def wrapped(compute: Callable[..., int]) -> Callable[..., int]:
    return lambda *of: wrap(compute(*of))


def near_times(a: int, share: int) -> int:
    return toward_zero(wrap(a * share))


SUMS = ("add", "subtract", "negate", "absolute")
NEAR = VALUES | {name: wrapped(VALUES[name]) for name in SUMS}
NEAR |= {"saturate": lambda a: a, "times": near_times}
"""32-bit integers that wrap around, without saturation."""


def forward_roots(program: Program) -> list[Expression]:
    step = program.forward
    values = (*step.before_reset.values(), *step.after.values(), step.spike, step.output)
    return [*(each for each in values if each is not None), *step.stored, *step.products]


@settings(max_examples=40, deadline=None)
@given(cases(max_steps=10, max_neurons=2, far=True))
def test_no_integer_leaves_32_bits_and_no_state_its_limit(case: Case) -> None:
    program = compile_neuron(case.definition, False)
    states = [*program.forward.after.values(), *program.forward.before_reset.values()]
    for step in run_case(program, case)[1]:
        integers = [value for a, value in step.values.items() if a.type is GRID]
        assert all((np.abs(each) <= MAX_INT).all() for each in integers)
        assert all((np.abs(step.values[a]) <= STATE_LIMIT).all() for a in states)


@settings(max_examples=40, deadline=None)
@given(cases(max_steps=1, max_neurons=1))
def test_near_arithmetic_is_exact_if_its_checks_pass(case: Case) -> None:
    """And if one fails, it does so with the right values, too, so that none passes by chance."""
    program = compile_neuron(case.definition, False)
    roots = forward_roots(program)
    order = in_order(roots, with_gradients=False)
    checked = [*program.forward.after.values(), *program.forward.before_reset.values()]
    checked += program.forward.products
    draw, limit = random.Random(0), program.near_limit
    parameters = {name: float(each[0]) for name, each in case.parameters.items()}
    fixed = on_grid(program, parameters, 4096)
    for _ in range(40):
        leaves = {**fixed, ("fired_before", None): draw.random() < 0.5}
        for each in program.states:
            leaves["state", each] = draw.choice([limit, -limit, draw.randint(-limit, limit)])
        for each in program.inputs:
            reach = draw.choice([limit, limit // 64, STATE_LIMIT])
            leaves["input", each] = draw.randint(-reach, reach)
        near, far = evaluate(order, leaves, NEAR), evaluate(order, leaves)
        is_near, is_really_near = (all(abs(v[a]) <= limit for a in checked) for v in (near, far))
        assert is_near == is_really_near or not is_near
        if is_near:
            assert [near[a] for a in roots] == [far[a] for a in roots]


def test_the_near_limit_is_the_largest_power_of_two() -> None:
    """A share of 4096 times a state of 2^19 is 2^31, which 32 bits do not hold."""
    assert {compile_neuron(each, True).near_limit for each in (CUBA, ALIF)} == {1 << 18}
    doubled = replace(CUBA, step=(CUBA.step[0], "v = v * (1 - scale) + norm(u)"))
    parameters = (("threshold", "threshold"), ("current_decay", "decay"), ("scale", "factor"))
    assert compile_neuron(replace(doubled, parameters=parameters), True).near_limit == 1 << 17
    without_products = compile_neuron(SIGMA_DELTA, True)
    assert without_products.near_limit > 1 << 20


@pytest.mark.parametrize(
    ("step", "at"),
    [
        (("u = u + x", "v = decay(v, 0.5) + 9 * u"), "9 * u"),
        (("v = v + 4 * (x + x)",), "4 * (x + x)"),
        (("v = v + 4 * x * 4 * 4",), "4 * x"),
    ],
)
def test_a_multiple_that_cannot_be_held_is_a_mistake(step: tuple[str, ...], at: str) -> None:
    definition = Definition((), step, output="v")
    with pytest.raises(EquationError) as caught:
        compile_neuron(definition, False)
    (mistake,) = caught.value.mistakes
    place = mistake.place
    assert step[place.index][place.column : place.end_column] == at
