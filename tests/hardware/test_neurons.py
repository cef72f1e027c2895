"""The device's neurons compute what the text of their equations says, in 24 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from support import equations
from support.equation_interpreter import run_equations

from netdesc.hardware.neurons import IntegerNeurons
from netdesc.neurons.definition import Definition

TOP = (1 << 23) - 1


def on_grid(case: equations.Case) -> dict[str, np.ndarray]:
    """Parameters as integers. All values of a case are on the grid."""
    kinds = {"bias": "grid", "peak": "real", "width": "real"} | dict(case.definition.parameters)
    shares = {name: values for name, values in case.parameters.items() if kinds[name] != "real"}
    return {
        name: (4096 * (1 - values if kinds[name] == "decay" else values)).astype(np.int64)
        for name, values in shares.items()
    }


@settings(max_examples=60, deadline=None)
@given(equations.cases())
def test_states_of_24_bits_give_the_outputs_of_the_text(case: equations.Case) -> None:
    run = run_equations(case.definition, case.parameters, case.inputs_TN)
    states = [*run.before_reset_TN.values(), *run.after_TN.values()]
    assume(max(np.abs(each).max() for each in states) <= TOP)
    neurons = IntegerNeurons(case.definition, on_grid(case), case.inputs_TN[0].shape[1])
    expected_TN = run.spikes_TN if case.definition.output is None else run.output_TN
    for t, expected_N in enumerate(expected_TN):
        output_N = neurons.step(*(each_TN[t] for each_TN in case.inputs_TN))
        np.testing.assert_array_equal(output_N, expected_N)
    assert neurons.wrapped == neurons.clipped == 0


SUM = Definition(parameters=(), step=("v = v + x",), output="v")
DOUBLED = replace(SUM, spike="x > -10000", reset=("v = 2 * v",))


@pytest.mark.parametrize(
    ("definition", "outputs", "counts"),
    [
        (replace(SUM, wrapped=("v",)), [TOP, -TOP, -TOP + 2], (1, 0)),
        (SUM, [TOP, TOP, TOP], (0, 2)),
        (replace(DOUBLED, wrapped=("v",)), [TOP, 0, 2], (1, 0)),
        (DOUBLED, [TOP, TOP, TOP], (0, 5)),
    ],
)
def test_states_beyond_24_bits_wrap_or_are_clipped(
    definition: Definition, outputs: list[int], counts: tuple[int, int]
) -> None:
    neurons = IntegerNeurons(definition, {}, 1)
    found = [neurons.step(np.array([value])).item() for value in (TOP, 2, 2)]
    assert found == outputs
    assert (neurons.wrapped, neurons.clipped) == counts
