"""A chain of dense layers there only: from a batch to its loss, as validation needs it.

The numbers are those of the operators, to the bit. Nobody comes back for voltages, so all that is
left of a layer is a bit for each of its spikes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.cpu.ahead import Walked, walked
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.chain import Examples, check_sizes
from netdesc.kernels.cpu.distance import Distance, Target
from netdesc.kernels.cpu.end_of_sum import distance_of_sum
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.spike_time import spike_time
from netdesc.kernels.cpu.summands import Readings
from netdesc.kernels.cpu.sums import total
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.train_distance import distances
from netdesc.kernels.cpu.trains import Spikes, SpikeSum, SpikeTrains, Sum, rows_of_sum
from netdesc.kernels.spike_words import SpikeWords

Output = Walked | Sum


class Judge(Protocol):
    """What a loss makes of an output by labels."""

    def of_spikes(self, spikes: Spikes, rate_BN: Tensor) -> Tensor:
        """``rate_BN`` are spikes a step, float32 [batch, neurons]."""
        ...

    def of_floats(self, output_TBN: Tensor) -> Tensor: ...


@on_threads
def walk(
    given: Examples,
    layers: Sequence[Layer | None],
    reads: Sequence[tuple[int, ...]],
    idle: int = 0,
) -> tuple[list[Walked], Output]:
    """Through all layers, and the output.

    For views among them, ``reads`` and ``idle`` see ``chain.differentiate``. Nothing acts between
    synapses and neurons.
    """
    check_sizes(given, layers, reads)
    steps, batch, _ = given.shape
    readings, found = Readings(given.source, given.summand, steps, batch), dict[int, Walked]()
    for number, (layer, read) in enumerate(zip(layers, reads, strict=True)):
        if layer is None:
            readings.add_view(number, read)
            continue
        of_layer = found[number] = walked(layer, readings.source(read), steps, batch)
        readings.add(number, of_layer.trains, of_layer.spikes)
    number = len(layers) - idle - 1
    output = found[number] if number in found else readings.summed(reads[number])
    return list(found.values()), output


@on_threads
def loss_of(loss: Distance | Judge, output: Output, target: Target | None) -> Tensor:
    """What the loss makes of a batch's output; a distance needs the target, and uses up floats."""
    if not isinstance(loss, Distance):
        if isinstance(output, np.ndarray):
            return loss.of_floats(torch.from_numpy(output))
        spikes = output if isinstance(output, SpikeSum) else output.trains
        return loss.of_spikes(spikes, output.rates_BN)
    assert target is not None, "there is no target"
    if isinstance(output, Walked):
        return _distance_of(loss, output.trains, target)
    return distance_of_sum(output, loss, target)


@on_threads
def loss_of_silence(distance: Distance, wanted: Tensor | SpikeWords) -> Tensor:
    """The same of an output without any spike, given target spikes [steps, batch, …]."""
    steps, batch, *shape = wanted.shape
    trains = SpikeTrains.room(steps, batch, math.prod(shape))
    trains.words[:] = 0
    return _distance_of(distance, trains, Target.of(wanted))


def _distance_of(distance: Distance, trains: SpikeTrains, target: Target) -> Tensor:
    assert math.prod(target.given.shape[2:]) == trains.shape[2], "it does not fit the last layer"
    if not isinstance(target.spikes, SpikeTrains):
        return distance_of_sum(SpikeSum.of([trains]), distance, target)
    value = _distance(distance, trains, target, target.spikes)
    return value / trains.size if distance.mean else value


def _distance(
    distance: Distance, trains: SpikeTrains, target: Target, wanted: SpikeTrains
) -> Tensor:
    """Before the mean."""
    (steps, batch, neurons), of_filter = trains.shape, distance.of_filter
    if van_rossum.convolved(*of_filter, steps) is not None:
        output = torch.from_numpy(rows_of_sum([trains]).floats().reshape(trains.shape))
        return spike_time(output, target.as_floats(trains.shape), *of_filter)[0]
    squares, items = np.empty(batch * neurons), batch * -(-neurons // LANES)
    distances(
        trains.words,
        wanted.words,
        *trains.shape,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        min(threads(), items),
        squares,
    )
    return scalar(total(squares))
