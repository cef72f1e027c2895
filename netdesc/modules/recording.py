"""Records the output and the states of layers while a network computes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class LayerRecording:
    """What a layer computed in the last forward pass, float32 [steps, batch, units].

    ``spikes`` is the output of the layer. ``states`` maps the names of the neurons' states, as in
    their equations, to their values before the reset, and ``inputs`` maps the names of inputs to
    what arrived. ``threshold`` is what a state must reach or exceed for a spike, with all that is
    added to it, or None if the spike compares no single state. All of these are in the unit of the
    threshold. With an axonal delay step, a spike comes out one step after the state that caused it.
    """

    spikes: Tensor
    states: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    threshold: Tensor | None

    @property
    def voltages(self) -> Tensor:
        """The state ``v``. Raises ValueError if the neurons have no state of this name."""
        if "v" not in self.states:
            raise ValueError(f"these neurons have no voltage v; they have {', '.join(self.states)}")
        return self.states["v"]


@contextmanager
def record_neurons(neurons: Mapping[str, Any]) -> Iterator[dict[str, LayerRecording]]:
    """Records neurons during the ``with`` statement: name -> recording of the last forward pass.

    Neurons call their ``recorder`` in each forward pass, unless it is None. Meanwhile these layers
    are computed one by one, not in a segment, and their states a second time by the reference
    engine, which takes longer.
    """
    recordings: dict[str, LayerRecording] = {}

    earlier = {name: neuron.recorder for name, neuron in neurons.items()}
    for name, neuron in neurons.items():
        neuron.recorder = partial(recordings.__setitem__, name)
    try:
        yield recordings
    finally:
        for name, neuron in neurons.items():
            neuron.recorder = earlier[name]
