"""A layer there only, for who never comes back: all that is left of it is a bit for each spike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from netdesc.kernels.cpu.dense import counts_of, notes_of, walk_ahead
from netdesc.kernels.cpu.ending import rates_of
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.cpu.trains import SpikeTrains


class Walked(NamedTuple):
    """What a layer has handed out, what was seen on the way (see ``there.SEEN``), and notes."""

    trains: SpikeTrains
    seen: np.ndarray
    notes: Tensor

    @property
    def spikes(self) -> int:
        return int(self.notes.numpy()[3])

    @property
    def counts_BN(self) -> np.ndarray:
        """How often each neuron has spiked, int32 [batch, neurons]."""
        return counts_of(self.seen, *self.trains.shape[1:])

    @property
    def rates_BN(self) -> Tensor:
        """Spikes a step, float32 [batch, neurons]."""
        return rates_of(self.trains.shape, self.seen)


def walked(layer: Layer, source: Source, steps: int, batch: int) -> Walked:
    """The layer's walk; nothing acts between its synapses and its neurons."""
    assert layer.between is None, "dropout, and the mean of a batch, are for training"
    trains = SpikeTrains.room(steps, batch, layer.outputs)
    weights = layer.weight_OI, layer.bits
    seen, path = walk_ahead(source, trains.shape, *weights, layer.constants, trains.words)
    return Walked(trains, seen, notes_of(seen, path))
