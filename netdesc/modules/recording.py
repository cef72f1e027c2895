"""Records the spikes and voltages of layers while a network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.modules.block import DenseBlock


@dataclass(frozen=True, eq=False)
class LayerRecording:
    """What a layer computed in the last forward pass, float32 [steps, batch, units].

    ``spikes`` is the output of the layer. ``voltages`` are in the unit of the threshold, before the
    reset. With an axonal delay step, a spike comes out one step after the voltage that caused it.
    """

    spikes: Tensor
    voltages: Tensor


@contextmanager
def record_blocks(blocks: Mapping[str, DenseBlock]) -> Iterator[dict[str, LayerRecording]]:
    """Records blocks during the ``with`` statement: name -> recording of the last forward pass.

    Meanwhile these blocks are computed one by one, not in a segment.
    """
    recordings: dict[str, LayerRecording] = {}

    def recorder(name: str) -> Callable[[Tensor, Tensor], None]:
        def record(spikes_TBN: Tensor, voltage_TBN: Tensor) -> None:
            voltages = voltage_TBN.detach().float() / STATE_UNIT
            recordings[name] = LayerRecording(spikes_TBN.detach(), voltages)

        return record

    earlier = {name: block.neuron.recorder for name, block in blocks.items()}
    for name, block in blocks.items():
        block.neuron.recorder = recorder(name)
    try:
        yield recordings
    finally:
        for name, block in blocks.items():
            block.neuron.recorder = earlier[name]
