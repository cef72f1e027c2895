"""What is printed of a neuron: all of its equations, states, parameters, functions."""

import json

import pytest

from netdesc.description.neuron_text import example_neuron, neuron_record, neuron_text
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.models import NEURONS


@pytest.mark.parametrize("kind", NEURONS)
def test_each_equation_state_and_parameter_is_printed(kind: str) -> None:
    neuron = example_neuron(kind)
    definition, record = neuron.definition(), neuron_record(neuron)
    assert tuple(record["states"]) == compile_neuron(definition, learn=False).states
    assert [*record["parameters"], *record["derived"]] == list(
        dict.fromkeys([*neuron.values(), *neuron.parameter_kinds()])
    )
    for is_example in (True, False):
        text = neuron_text(neuron, is_example=is_example)
        equations = [*definition.step, definition.spike, *definition.reset, definition.output]
        shown = [*filter(None, equations), *record["states"], *neuron.parameter_kinds()]
        assert [
            each for each in [*shown, *neuron.values(), neuron.source] if each not in text
        ] == []
        assert max(map(len, text.splitlines())) <= 100
    assert json.loads(json.dumps(record))["type"] == kind


def test_values_units_and_ranges_are_those_of_the_document() -> None:
    own = {"kind": "factor", "value": -0.5}
    neuron = NEURONS["equations"].model_validate_json(
        json.dumps({"type": "equations", "parameters": {"gain": own}, "output": "v",
                    "step": ["v = scaled(v, gain) + x"]})
    )  # fmt: skip
    assert "gain = -0.5 (factor; unit: 1; -1 to 1)" in neuron_text(neuron, is_example=False)
    reserved = {"type": "equations", "step": ["v = x + step"], "output": "v"}
    reserved["parameters"] = {"step": {"kind": "threshold", "value": 0.5}}
    record = neuron_record(NEURONS["equations"].model_validate_json(json.dumps(reserved)))
    assert record["parameters"]["step"]["kind"] == "threshold"
    cuba = neuron_record(example_neuron("cuba"))
    assert cuba["parameters"]["threshold"]["range"] == "0 to 32768"
    assert cuba["parameters"]["voltage_decay"]["unit"] == "share per step"
    assert cuba["states"] == {"u": "wraps", "v": "is clipped"}
    assert neuron_record(example_neuron("sigma_delta"))["state_unit"] == 2**-18
    assert "1/262144" in neuron_text(example_neuron("integrator"), is_example=True)
