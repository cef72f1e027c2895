"""Counts the steps by which layers delay a spike on its way to the output."""

from __future__ import annotations

from netdesc.description.models import Document
from netdesc.description.models.layers import LayerSection, SynapticSection
from netdesc.description.shapes import INPUT, Wiring
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


def arrival_steps(document: Document, wiring: Wiring) -> dict[str, int]:
    """Returns by how many steps of the input the output of each layer comes later, by name.

    This is the sum of the delays on the path with the fewest. A source that is not known has none.
    """
    arrivals = {INPUT: 0}
    for index, (layer, sources) in enumerate(zip(document.layers, wiring.sources, strict=True)):
        before = min(arrivals.get(name, 0) for name in sources)
        arrivals[layer.name] = before + layer_delay(document, wiring, index)
    return arrivals


def layer_delay(document: Document, wiring: Wiring, index: int) -> int:
    """Returns the fewest steps of the input by which a layer hands on its output later."""
    layer = document.layers[index]
    steps = delay_steps(layer, layer.neuron_of(document.neurons)) + layer.own_delay
    return steps * wiring.decimations[index]
