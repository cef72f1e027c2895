"""A chain of dense layers there only: from a batch to its loss, as validation needs it.

The numbers are those of the operators, to the bit. Nobody comes back for voltages, so all that is
left of a layer is a bit for each of its spikes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.chain import Examples, check_sizes
from netdesc.kernels.cpu.dense import counts_of, notes_of, walk_ahead
from netdesc.kernels.cpu.ending import Distance, Target, rates_of
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.cpu.spike_time import spike_time
from netdesc.kernels.cpu.summands import Readings
from netdesc.kernels.cpu.sums import total
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.train_distance import distances
from netdesc.kernels.cpu.trains import SpikeTrains, rows_of_sum
from netdesc.kernels.spike_words import SpikeWords

Judge = Callable[[SpikeTrains, Tensor], Tensor]
"""From the output's spikes, and from spikes a step, float32 [batch, neurons], to the loss."""


class Walked(NamedTuple):
    """What a layer has handed out, what was seen on the way (see ``there.SEEN``), and notes."""

    trains: SpikeTrains
    seen: np.ndarray
    notes: Tensor

    @property
    def counts_BN(self) -> np.ndarray:
        """How often each neuron has spiked, int32 [batch, neurons]."""
        return counts_of(self.seen, *self.trains.shape[1:])

    @property
    def rates_BN(self) -> Tensor:
        """Spikes a step, float32 [batch, neurons]."""
        return rates_of(self.trains.shape, self.seen)


@on_threads
def walk(
    given: Examples, layers: Sequence[Layer | None], reads: Sequence[tuple[int, ...]]
) -> list[Walked]:
    """Through all layers, the last one being the output.

    For views among them, and for ``reads``, see ``chain.differentiate``.

    Nothing acts between synapses and neurons.
    """
    check_sizes(given, layers, reads)
    steps, batch, _ = given.shape
    readings, walked = Readings(given.source, given.summand, steps, batch), list[Walked]()
    for layer, read in zip(layers, reads, strict=True):
        if layer is None:
            readings.add_view(read)
            continue
        walked.append(_walked(layer, readings.source(read), steps, batch))
        readings.add(walked[-1].trains, int(walked[-1].notes.numpy()[3]))
    return walked


def _walked(layer: Layer, source: Source, steps: int, batch: int) -> Walked:
    assert layer.between is None, "dropout, and the mean of a batch, are for training"
    trains = SpikeTrains.room(steps, batch, layer.outputs)
    weights = layer.weight_OI, layer.bits
    seen, path = walk_ahead(source, trains.shape, *weights, layer.constants, trains.words)
    return Walked(trains, seen, notes_of(seen, path))


@on_threads
def loss_of(loss: Distance | Judge, output: Walked, target: Target | None) -> Tensor:
    """What the loss makes of a batch's output; a distance needs the target."""
    if not isinstance(loss, Distance):
        return loss(output.trains, output.rates_BN)
    assert target is not None, "there is no target"
    return _distance_of(loss, output.trains, target)


@on_threads
def loss_of_silence(distance: Distance, wanted: Tensor | SpikeWords) -> Tensor:
    """The same of an output without any spike, given target spikes [steps, batch, …]."""
    steps, batch, *shape = wanted.shape
    trains = SpikeTrains.room(steps, batch, math.prod(shape))
    trains.words[:] = 0
    return _distance_of(distance, trains, Target.of(wanted))


def _distance_of(distance: Distance, trains: SpikeTrains, target: Target) -> Tensor:
    assert math.prod(target.given.shape[2:]) == trains.shape[2], "it does not fit the last layer"
    value = _distance(distance, trains, target)
    return value / trains.size if distance.mean else value


def _distance(distance: Distance, trains: SpikeTrains, target: Target) -> Tensor:
    """Before the mean."""
    (steps, batch, neurons), of_filter = trains.shape, distance.of_filter
    if target.trains is None or van_rossum.convolved(*of_filter, steps) is not None:
        output = torch.from_numpy(rows_of_sum([trains]).floats().reshape(trains.shape))
        return spike_time(output, target.as_floats(trains.shape), *of_filter)[0]
    squares, items = np.empty(batch * neurons), batch * -(-neurons // LANES)
    distances(
        trains.words,
        target.trains.words,
        *trains.shape,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        min(threads(), items),
        squares,
    )
    return scalar(total(squares))
