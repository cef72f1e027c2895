"""Records the output and the states of layers while a network computes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from torch import Tensor

from netdesc.kernels.reference.neurons import NeuronTraces


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

    @classmethod
    def of(
        cls,
        out_TBN: Tensor,
        traces: Sequence[NeuronTraces],
        states: Sequence[str],
        inputs: Mapping[str, Tensor],
    ) -> "LayerRecording":
        """Returns the recording of a run, without gradients."""
        traced = {name: each for part in traces for name, each in part.states.items()}
        return cls(
            out_TBN.detach(),
            {name: traced[name] for name in states},
            {name: each_TBN.detach() for name, each_TBN in inputs.items()},
            traces[-1].threshold,
        )

    @property
    def voltages(self) -> Tensor:
        """The state ``v``. Raises ValueError if the neurons have no state of this name."""
        if "v" not in self.states:
            raise ValueError(f"these neurons have no voltage v; they have {', '.join(self.states)}")
        return self.states["v"]


class Recordable(Protocol):
    """Neurons of a layer. They call ``recorder`` in each forward pass, unless it is None."""

    recorder: Callable[[LayerRecording], None] | None


@contextmanager
def record_neurons(neurons: Mapping[str, Recordable]) -> Iterator[dict[str, LayerRecording]]:
    """Records neurons during the ``with`` statement: name -> recording of the last forward pass.

    Meanwhile these layers are computed one by one, not in a segment, and their states a second
    time by the reference engine, which takes longer.
    """
    recordings: dict[str, LayerRecording] = {}

    earlier = {name: each.recorder for name, each in neurons.items()}
    for name, each in neurons.items():
        each.recorder = partial(recordings.__setitem__, name)
    try:
        yield recordings
    finally:
        for name, each in neurons.items():
            each.recorder = earlier[name]
