"""Records the output and the states of layers while a network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from netdesc.modules.block import DenseBlock


@dataclass(frozen=True, eq=False)
class LayerRecording:
    """What a layer computed in the last forward pass, float32 [steps, batch, units].

    ``spikes`` is the output of the layer. ``states`` maps the names of the neurons' states, as in
    their equations, to their values before the reset, in the unit of the threshold. With an axonal
    delay step, a spike comes out one step after the state that caused it.
    """

    spikes: Tensor
    states: Mapping[str, Tensor]

    @property
    def voltages(self) -> Tensor:
        """The state ``v``. Raises ValueError if the neurons have no state of this name."""
        if "v" not in self.states:
            raise ValueError(f"these neurons have no voltage v; they have {', '.join(self.states)}")
        return self.states["v"]


@contextmanager
def record_blocks(blocks: Mapping[str, DenseBlock]) -> Iterator[dict[str, LayerRecording]]:
    """Records blocks during the ``with`` statement: name -> recording of the last forward pass.

    Meanwhile these blocks are computed one by one, not in a segment, and their states a second
    time by the reference engine, which takes longer.
    """
    recordings: dict[str, LayerRecording] = {}

    def recorder(name: str) -> Callable[[Tensor, dict[str, Tensor]], None]:
        def record(out_TBN: Tensor, states: dict[str, Tensor]) -> None:
            recordings[name] = LayerRecording(out_TBN.detach(), states)

        return record

    earlier = {name: block.neuron.recorder for name, block in blocks.items()}
    for name, block in blocks.items():
        block.neuron.recorder = recorder(name)
    try:
        yield recordings
    finally:
        for name, block in blocks.items():
            block.neuron.recorder = earlier[name]
