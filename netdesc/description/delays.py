"""Counts the steps by which layers delay a spike on its way to the output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netdesc.description.diagnostics.wording import amount
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


def output_delay(layers: Iterable[tuple[str, int, Sequence[str]]]) -> int:
    """Returns the steps after which a spike of the input can first reach the output.

    This is the number of delays on the path with the fewest. Of each layer, ``layers`` has the
    name, its own delay, and the names of its sources. A layer comes after its sources. A source
    that is not known has no delay.
    """
    delays, delay = {INPUT: 0}, 0
    for name, own, sources in layers:
        delay = own + min(delays.get(source, 0) for source in sources)
        delays[name] = delay
    return delay


def describe_late_output(delay: int, steps: int) -> str | None:
    """Returns a sentence if a sample of ``steps`` ends before a spike can reach the output."""
    if delay < steps:
        return None
    delayed, length = amount(delay, "step"), amount(steps, "step")
    return (
        f"no spike of the input reaches the output: the layers delay it by {delayed}, and a sample "
        f"has {length}"
    )
