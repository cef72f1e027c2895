"""Neurons compute what lava-dl's slayer and lava-nc compute, all states and spikes to the bit.

``tests/peers/slayer_neurons.py`` recorded that, and says what the arrays hold.
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.equation_interpreter import run_equations
from support.integer_run import run_on_device

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.models import NEURONS

RECORDED = dict(np.load(Path(__file__).parents[1] / "golden" / "neurons.npz"))
PARAMETERS = json.loads(str(RECORDED.pop("parameters")))

PAYLOADS = {"cuba": "v", "rf": "re"}

STATES = {  # what peers call a state -> how to read it off ours
    "theta": lambda s, threshold: s["a"] + threshold,
    "sigma": lambda s, _: s["s"],
    "act": lambda s, _: s["a"],
    "residue": lambda s, _: s["a"] - s["y"],
    "error": lambda s, _: s["e"],
}


@dataclass(frozen=True)
class Case:
    """A recorded case, and the neuron that a document with its parameters describes."""

    definition: Definition
    parameters: dict[str, np.ndarray]
    """Real, [neurons] each: the definition's, and ``bias``, ``peak`` and ``width``."""
    inputs_TN: list[np.ndarray]
    """In state units."""
    arrays: dict[str, np.ndarray]


def load(case: str) -> Case:
    neuron, prefix = case.split("/")[0], f"{case}/"
    arrays = {
        path.removeprefix(prefix): array
        for path, array in RECORDED.items()
        if path.startswith(prefix)
    }
    is_graded = PARAMETERS[case].get("graded", False)
    fields = {name: value for name, value in PARAMETERS[case].items() if name != "graded"}
    derived = []
    for n in range(arrays["output"].shape[1]):
        own = {name: v[n] if isinstance(v, list) else v for name, v in fields.items()}
        bias = own.pop("bias", 0.0)
        section = NEURONS[neuron].model_validate({"type": neuron, "tau_grad": 1.0, **own})
        peak, width = section.surrogate_at(
            math.trunc(64 * own.get("threshold", 1)) / 64 or 1.0, section.tau_grad
        )
        others = {"bias": bias, "peak": peak, "width": width}
        derived.append(section.derive(math, section.values()) | others)
    definition = section.definition()
    return Case(
        replace(definition, output=PAYLOADS[neuron]) if is_graded else definition,
        {name: np.array([values[name] for values in derived]) for name in derived[0]},
        [array.astype(np.int64) for name, array in arrays.items() if name.startswith("input")],
        arrays,
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_states_and_outputs(name):
    case = load(name)
    definition = case.definition
    run = run_equations(definition, case.parameters, case.inputs_TN)
    output_TN = run.output_TN >> (definition.unit_bits - 12)
    unit = 4096 if definition.output is None else 1
    np.testing.assert_array_equal(output_TN, unit * case.arrays["output"].astype(np.int64))

    threshold_N = 64 * np.trunc(64 * case.parameters.get("threshold", np.zeros(1))).astype(int)
    for array, expected_TN in case.arrays.items():
        when, _, state = array.rpartition("_")
        if when not in ("before_reset", "after"):
            continue
        states = run.before_reset_TN if when == "before_reset" else run.after_TN
        if name.startswith("delta/"):
            states = states | {"a": case.inputs_TN[0]}
        found_TN = STATES[state](states, threshold_N) if state in STATES else states[state]
        np.testing.assert_array_equal(found_TN, expected_TN, err_msg=array)


@pytest.mark.parametrize(
    "name", [name for name in PARAMETERS if f"{name}/output_gradient" in RECORDED]
)
def test_gradients_of_inputs(name):
    case = load(name)
    definition = case.definition
    parameters = [
        torch.tensor(case.parameters[parameter], dtype=torch.float32)
        for parameter in compile_neuron(definition, False).parameters
    ]
    inputs_TBN = [
        torch.tensor(input_TN[:, None], dtype=torch.float32)
        .div(2**definition.unit_bits)
        .requires_grad_()
        for input_TN in case.inputs_TN
    ]
    with use_engine("reference"):
        run = operators.neurons(
            inputs_TBN, [], parameters, [], definition.to_text(), 0, False, True
        )
        run[0].backward(torch.tensor(case.arrays["output_gradient"])[:, None])
    # slayer adds 0.01/4096 to the threshold of cuba, in the surrogate, too.
    tolerance = 3e-5 if name.startswith(("cuba", "lif")) else 3e-6
    expected = [array for path, array in case.arrays.items() if path.startswith("gradient")]
    for input_TBN, expected_TN in zip(inputs_TBN, expected, strict=True):
        error_N = np.abs(input_TBN.grad[:, 0].numpy() - expected_TN).max(axis=0)
        assert (error_N <= tolerance * np.abs(expected_TN).max(axis=0)).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_outputs_in_integers_of_the_device(name):
    case = load(name)
    states_TN = run_equations(case.definition, case.parameters, case.inputs_TN).before_reset_TN
    output_TN, neurons = run_on_device(case.definition, case.parameters, case.inputs_TN)
    is_within_24_bits = max(np.abs(each).max() for each in states_TN.values()) < 2**23
    assert is_within_24_bits == (not any(neurons.exceeded.values()))
    if is_within_24_bits:
        np.testing.assert_array_equal(output_TN, case.arrays["output"])
