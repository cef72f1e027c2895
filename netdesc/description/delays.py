"""Counts the steps by which layers delay a spike on its way to the output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netdesc.description.models import Document
from netdesc.description.models.layers import LayerSection, SynapticSection
from netdesc.description.shapes import INPUT
from netdesc.neurons.models import NeuronSection


def delay_steps(layer: LayerSection, neuron: NeuronSection | None) -> int:
    """Returns the steps, 0 or 1, by which a layer delays the output of its neurons.

    By default, neurons that spike have a delay. ``neuron`` is None if it is not known.
    """
    if not isinstance(layer, SynapticSection):
        return 0
    if layer.axonal_delay_step is not None:
        return int(layer.axonal_delay_step)
    return int(neuron is None or neuron.equations().spike is not None)


def earliest_steps(document: Document, sources: Iterable[Sequence[str]]) -> dict[str, int]:
    """Returns the first step in which a layer can hand on what the input has in step 0, by name.

    This is the number of delays on the path with the fewest. ``sources`` has the names of each
    layer's sources, which come before it. A source that is not known has no delay.
    """
    steps = {INPUT: 0}
    for layer, names in zip(document.layers, sources, strict=True):
        steps[layer.name] = min(steps.get(name, 0) for name in names) + layer_delay(document, layer)
    return steps


def layer_delay(document: Document, layer: LayerSection) -> int:
    """Returns the fewest steps by which a layer hands on its output later."""
    neurons = document.neurons
    neuron = layer.neuron_of(neurons) if isinstance(layer, SynapticSection) else None
    return delay_steps(layer, neuron) + layer.own_delay
