"""Gradients of the adjoint, against forward-mode derivatives and finite differences."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from support.equations import Case, cases, definitions
from support.neuron_definitions import DEFINITIONS, INTEGRATOR, exact
from support.program_interpreter import SMOOTH, ForwardMode, backward, forward, run_case

from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition


def assert_gradients_are_those_of_forward_mode(case: Case, learn: bool) -> None:
    """For random directions d of inputs and parameters, <g, J d> must equal <J^T g, d>."""
    definition, unit = case.definition, 1 << case.definition.unit_bits
    program = compile_neuron(definition, learn)
    rng = np.random.default_rng(0)
    fixed, steps = run_case(program, case)
    shape = case.inputs_TN[0].shape
    along = {name: rng.uniform(-1, 1, shape) for name in program.inputs}
    learnable = [name for name, kind in program.parameters.items() if kind != "real"]
    along |= {name: rng.uniform(-1, 1, shape[1:]) for name in learnable if learn}
    gradients = rng.uniform(-1, 1, shape)
    wanted_TN = gradients * ForwardMode(program, unit).run(steps, along)
    found = backward(program, fixed, steps, gradients)
    assert found.keys() == along.keys()
    found_TN = np.vstack([along[name] * each for name, each in found.items()])
    scale_N = 1e-6 + np.abs(wanted_TN).sum(0) + np.abs(found_TN).sum(0)  # terms may cancel
    assert (np.abs(wanted_TN.sum(0) - found_TN.sum(0)) <= 1e-9 * scale_N).all()


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_neurons_have_the_gradients_of_forward_mode(name: str, learn: bool) -> None:
    case = spiking_case(DEFINITIONS[name])
    assert_gradients_are_those_of_forward_mode(case, learn)


def spiking_case(definition: Definition) -> Case:
    """Returns neurons that fire now and then, with values on the grid."""
    random = np.random.default_rng(1)
    program = compile_neuron(definition, False)
    among = {"decay": (100, 2000), "factor": (1500, 3500), "threshold": (1024, 2048)}
    parameters = {
        name: random.integers(*among.get(kind, (1024, 4096)), 8) // 64 * 64 / 4096
        for name, kind in program.parameters.items()
    }
    unit = 1 << definition.unit_bits
    inputs_TN = [random.integers(-unit, 2 * unit, (40, 8)) for _ in definition.inputs]
    return Case(definition, parameters, inputs_TN)


@settings(max_examples=60, deadline=None)
@given(cases(max_steps=12, max_neurons=2))
def test_random_neurons_have_the_gradients_of_forward_mode(case: Case) -> None:
    for learn in (False, True):
        assert_gradients_are_those_of_forward_mode(case, learn)


@settings(max_examples=30, deadline=None)
@given(cases(definitions(max_states=3).map(exact), max_steps=12, max_neurons=2))
def test_random_exact_resets_have_the_gradients_of_forward_mode(case: Case) -> None:
    for learn in (False, True):
        assert_gradients_are_those_of_forward_mode(case, learn)


MIXED = Definition(
    (("d", "decay"), ("f", "factor"), ("g", "grid")),
    (
        "u = decay(u, d) + clip(x, -2, 2)",
        "w = scaled(abs(u) - g, f) + min(v, u)",
        "v = decay(v - w, d) + where(w > 1, -u, 2 * u + 0.5) + u * d",
    ),
    output="v - max(w, before(v))",
)


@pytest.mark.parametrize("definition", [INTEGRATOR, MIXED, replace(MIXED, unit_bits=18)])
def test_gradients_are_finite_differences_without_rounding(definition: Definition) -> None:
    program, unit = compile_neuron(definition, True), 1 << definition.unit_bits
    draw = random.Random(2)
    among = {"decay": (0.1, 0.6), "factor": (-0.9, -0.3), "grid": (0.2, 0.4)}
    values = {name: draw.uniform(*among[kind]) for name, kind in program.parameters.items()}
    values |= {str(t): draw.uniform(-3, 3) for t in range(8)}
    gradients = [draw.uniform(-1, 1) for _ in range(8)]

    def run(moved: dict[str, float]) -> tuple[dict, list]:
        shares = {"decay": lambda p: 4096 * (1 - p), "factor": lambda p: 4096 * p}
        fixed = {
            ("parameter", name): shares.get(kind, lambda p: unit * p)(moved[name])
            for name, kind in program.parameters.items()
        }
        return fixed, forward(program, fixed, [[unit * moved[str(t)]] for t in range(8)], SMOOTH)

    def loss(name: str, step: float) -> float:
        steps = run(values | {name: values[name] + step})[1]
        outputs = [each.values[program.forward.output] / unit for each in steps]
        return sum(a * b for a, b in zip(outputs, gradients, strict=True))

    fixed, steps = run(values)
    found = backward(program, fixed, steps, gradients, SMOOTH)
    found |= {str(t): of_step for t, of_step in enumerate(found.pop("x"))}
    assert found.keys() == values.keys()
    for name, gradient in found.items():
        difference = (loss(name, 1e-5) - loss(name, -1e-5)) / 2e-5
        assert gradient == pytest.approx(difference, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("equation", "of_x", "of_y"),
    [("v = min(x, y)", 0, 1), ("v = max(x, y)", 0, 1), ("v = abs(x - y)", 1, -1)],
)
def test_ties_go_to_the_second_and_abs_rises_at_0(equation: str, of_x: float, of_y: float) -> None:
    program = compile_neuron(Definition((), (equation,), output="v", inputs=("x", "y")), False)
    assert backward(program, {}, forward(program, {}, [[4096, 4096]]), [1.0]) == {
        "x": of_x,
        "y": of_y,
    }
