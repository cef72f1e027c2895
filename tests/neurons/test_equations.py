"""Equations mean what their text says: states, spikes, types of names, gradients of spikes."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from support.equation_interpreter import run_equations
from support.equations import SURROGATES, Case, cases, definitions
from support.program_interpreter import evaluate, on_grid, run_case

from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.program import Forward

LEAKY = Definition(
    parameters=(("threshold", "threshold"), ("leak", "decay")),
    step=("v = decay(v, leak) + x",),
    spike="v > threshold",
    reset=("v = 0",),
)


def check_steps(case: Case) -> None:
    neuron = read(case.definition)
    assert list(neuron.parameters) == list(case.parameters)
    step = Forward(neuron.after, neuron.before_reset, neuron.spike, neuron.output, (), ())
    program = SimpleNamespace(
        parameters=neuron.parameters,
        inputs=case.definition.inputs,
        states=tuple(neuron.before_reset),
        forward=step,
    )
    run = run_equations(case.definition, case.parameters, case.inputs_TN)
    for t, found in enumerate(run_case(program, case)[1]):
        for state in neuron.before_reset:
            np.testing.assert_array_equal(
                found.values[neuron.before_reset[state]], run.before_reset_TN[state][t]
            )
            np.testing.assert_array_equal(found.values[neuron.after[state]], run.after_TN[state][t])
        spikes = True if neuron.spike is None else found.values[neuron.spike]
        output = 4096 if neuron.output is None else found.values[neuron.output]
        np.testing.assert_array_equal(spikes * output, run.output_TN[t])
        np.testing.assert_array_equal(neuron.spike is not None and spikes, run.spikes_TN[t])


@given(cases(far=True))
def test_expressions_compute_what_the_text_says(case: Case) -> None:
    check_steps(case)


@given(cases(definitions(norm=True), max_steps=4, max_neurons=1))
def test_a_norm_adds_its_bias(case: Case) -> None:
    neuron = read(case.definition)
    place = neuron.norm.argument
    written = case.definition.step[place.index][place.column : place.end_column]
    assert written == "x"
    check_steps(case)


@given(definitions())
def test_every_place_holds_its_expression(definition: Definition) -> None:
    neuron = read(definition)
    for each, place in neuron.places.items():
        texts = getattr(definition, place.part)
        text = texts if isinstance(texts, str) else texts[place.index]
        written = text[place.column : place.end_column]
        assert written.strip() == written != ""
        if each.operation in ("input", "state"):
            assert each.value in written


def test_a_reset_saturates() -> None:
    definition = Definition(LEAKY.parameters, LEAKY.step, LEAKY.spike, reset=("v = 3 * v",))
    parameters = dict.fromkeys(("threshold", "leak", "peak", "width"), np.ones(1))
    check_steps(Case(definition, parameters, [np.full((2, 1), 1 << 28)]))


@given(definitions())
def test_a_definition_survives_its_text(definition: Definition) -> None:
    assert Definition.from_text(definition.to_text()) == definition


def run_once(step: str, x: int = 4096, **parameters: float) -> int:
    """The value of a state after one step, in state units."""
    kinds: dict[str, Any] = {"d": "decay", "f": "factor", "g": "real", "theta": "threshold"}
    definition = Definition(
        tuple((name, kinds[name]) for name in parameters), (f"v = {step}",), output="v"
    )
    neuron = read(definition)
    leaves = {**on_grid(neuron, parameters, 4096), ("input", "x"): x, ("state", "v"): 0}
    root = neuron.after["v"]
    return evaluate(in_order([root]), leaves)[root]


@pytest.mark.parametrize(
    ("step", "parameters", "expected"),
    [
        ("decay(x, 0.25)", {}, 3072),
        ("decay(x, d)", {"d": 0.25}, 3072),
        # A name stands for its value, wherever it is.
        ("scaled(x, d)", {"d": 0.25}, 1024),
        ("scaled(x, f)", {"f": -0.25}, -1024),
        ("scaled(x, 1 - f)", {"f": 0.25}, 3072),
        ("x + theta", {"theta": 0.99}, 4096 + 63 * 64),
        ("x + 0.3", {}, 4096 + 1229),
        ("x * 2 - 3 * x", {}, -4096),
        ("x + where(abs(g - 1) * 2 >= 0.5 + g, 1, 2)", {"g": 0.75}, 3 * 4096),
        ("scaled(-3 * x, 0.0002)", {}, -3),
    ],
)
def test_names_and_numbers_have_the_values_that_they_are_given(
    step: str, parameters: dict[str, float], expected: int
) -> None:
    assert run_once(step, **parameters) == expected


def pairs_of(spike: Expression | None, leaves: dict[str, Any]) -> dict[Expression, float]:
    """What gets a gradient of a spike -> its factor."""
    assert spike.operation == "with_gradient"
    _, *pairs = spike.arguments
    order = in_order(pairs)
    named = {(a.operation, a.value): leaves.get(str(a.value), 0) for a in order if not a.arguments}
    values = evaluate(order, named)
    return {a: values[factor] for a, factor in zip(pairs[::2], pairs[1::2], strict=True)}


@pytest.mark.parametrize("shape", SURROGATES)
@pytest.mark.parametrize("spike", ["v > threshold", "threshold <= v and x >= 0"])
@pytest.mark.parametrize("unit_bits", [12, 18])
def test_a_spike_has_a_surrogate_of_the_difference(shape: Any, spike: str, unit_bits: int) -> None:
    definition = Definition(
        LEAKY.parameters, LEAKY.step, spike, surrogate=shape, unit_bits=unit_bits
    )
    neuron = read(definition)
    unit = 2**unit_bits
    distance, peak, width = 0.75, 2.0, 1.5
    leaves = {"x": unit // 4, "threshold": unit, "leak": 4096, "peak": peak, "width": width}
    d = distance / width
    rho = (
        peak
        * {
            "exponential": math.exp(-d),
            "fast_sigmoid": 1 / (1 + d) ** 2,
            "atan": 1 / (1 + d**2),
            "triangle": max(0, 1 - d),
        }[shape]
    )
    found = pairs_of(neuron.spike, leaves)
    threshold = next(each for each in found if each.value == "threshold")
    assert found == pytest.approx({neuron.before_reset["v"]: rho, threshold: -rho}, rel=1e-12)


@pytest.mark.parametrize(("re", "im"), [(1.25, 0.5), (0.5, -0.25), (1.0, 0.0), (-2.0, 1.5)])
def test_a_phase_spike_has_the_gradient_of_slayer(re: float, im: float) -> None:
    definition = Definition(
        (("threshold", "threshold"),),
        ("re = re + x", "im = im + y"),
        "phase_spike(re, im, threshold)",
        inputs=("x", "y"),
    )
    neuron = read(definition)
    # slayer's own constants and words, as in lava-dl's neuron/rf.py
    tau, scale, threshold = 0.5, 10.0, 1.0
    delta_re = math.exp(-abs(re - threshold) / tau) / (2 * tau)
    delta_im = math.exp(-abs(im) / tau) / (2 * tau)
    sign_re, sign_im = ((each > 0) - (each < 0) for each in (re - threshold, im))
    step = 0.5 * (1 + sign_re * (1 - 2 * tau * delta_re))
    to_re = scale * delta_re * delta_im
    to_im = -(scale / tau) * sign_im * delta_im * step
    leaves = {"x": int(re * 4096), "y": int(im * 4096), "threshold": 4096}
    found = pairs_of(neuron.spike, leaves | {"peak": scale / (2 * tau), "width": tau})
    assert list(found.values()) == pytest.approx([to_re, to_im, -to_re], rel=1e-12)


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_reset_passes_the_gradient_as_if_nothing_had_happened(is_exact: bool) -> None:
    neuron = read(
        Definition(
            LEAKY.parameters, LEAKY.step, LEAKY.spike, reset=LEAKY.reset, has_exact_reset=is_exact
        )
    )
    after = neuron.after["v"]
    if is_exact:
        assert (after.operation, after.arguments[0]) == ("where", neuron.spike)
    else:
        _, to, factor = after.arguments
        assert (to, factor.value) == (neuron.before_reset["v"], 1.0)


def test_many_doublings_stay_small() -> None:
    step = ("s0 = x", *(f"s{n} = s{n - 1} + s{n - 1}" for n in range(1, 32)))
    neuron = read(Definition((), step, output="s31"))
    assert len(in_order(neuron.after.values())) < 200
    assert len(repr(neuron)) < 100_000
