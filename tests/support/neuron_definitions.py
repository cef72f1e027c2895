"""Neurons for tests: the built-in ones, with each choice of the options that change equations."""

from dataclasses import replace
from typing import Any

from netdesc.description.neuron_text import example_neuron, own_options
from netdesc.neurons.definition import Definition
from netdesc.neurons.models import NEURONS, NeuronSection


def variants(kind: str) -> dict[str, NeuronSection]:
    """Returns neurons of a type: an example, and one for each other choice of an option."""
    example = example_neuron(kind)
    found = {kind: example}
    for option, choices in own_options(type(example)).items():
        for value in choices:
            if value != getattr(example, option):
                other = example.model_copy(update={option: value})
                name = option if value is True else value
                found[f"{kind}_{name}"] = other.model_copy(
                    update=dict.fromkeys(other.idle_fields())
                )
    return found


def example_fields(kind: str) -> dict[str, Any]:
    """Returns the fields of the example, with thresholds low enough for spikes."""
    neuron = example_neuron(kind)
    fields = neuron.model_dump(mode="json", exclude_unset=True)
    for name, each in neuron.value_kinds().items():
        if each == "threshold" and kind == "equations":
            fields["parameters"][name]["value"] = 0.2
        elif each == "threshold":
            fields[name] = 0.2
    return fields


def exact(definition: Definition) -> Definition:
    """Returns the neuron whose gradients pass through its resets."""
    return replace(definition, has_exact_reset=True)


DEFINITIONS = {
    name: neuron.definition()
    for kind in NEURONS
    if kind != "equations"
    for name, neuron in variants(kind).items()
}
DEFINITIONS |= {
    f"{name}_exact": exact(DEFINITIONS[name])
    for name in ("cuba", "lif_subtract_delayed", "alif", "rf_iz")
}

CUBA, LIF, ALIF, RF, RF_IZ, SIGMA_DELTA, INTEGRATOR = (
    DEFINITIONS[name]
    for name in ("cuba", "lif", "alif", "rf", "rf_iz", "sigma_delta", "integrator")
)
