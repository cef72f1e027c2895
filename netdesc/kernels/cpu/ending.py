"""The end of a chain: the last layer and its loss, there and back to the layer's gradients.

What nobody asks for is never made. Where one walk does a layer there and back, its spikes are in a
thread's cache alone, and its voltages, too, unless the current is whole (see ``last_layer`` and
``last_whole``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import last_layer, last_whole, van_rossum
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.backward import NOTHING, left_by_events
from netdesc.kernels.cpu.budget import left_beside
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.by_samples import BySamples
from netdesc.kernels.cpu.by_source import by_source
from netdesc.kernels.cpu.dense import EVENTS, counts_of, notes_and_total, path_of, room_to_note
from netdesc.kernels.cpu.descent import (
    NO_DECAYS,
    Back,
    There,
    from_output,
    from_samples,
    from_whole,
)
from netdesc.kernels.cpu.distance import Distance, Target
from netdesc.kernels.cpu.end_of_sum import loss_of_sum
from netdesc.kernels.cpu.handed_back import HandedBack
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.places import Places
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.cpu.spike_time import spike_time, spike_time_backward
from netdesc.kernels.cpu.synapses import current
from netdesc.kernels.cpu.tape import run
from netdesc.kernels.cpu.threads import crew_of, threads
from netdesc.kernels.cpu.trains import Spikes, SpikeSum, SpikeTrains
from netdesc.kernels.cpu.walker import decays_of
from netdesc.kernels.cpu.weights import half_limits, room_by_vectors
from netdesc.kernels.packed_spikes import stand_for_output

_MOST, _MOST_ALONE, _MOST_BESIDE = 0.6, 1.5, 0.5
"""Times the activity, that threads may hold for the last layer's way there and back.

Where one walk does it, and the gradient that is handed back is whole at the same time; where none
is handed back; and beside a current that is whole. They keep all differences (see
``train_distance``) if that takes a third of it at most.
"""

_MOST_OF_ONE = 2.0
"""The same for one thread where none is handed back: any other way takes the current as a whole."""

_ALWAYS = 1 << 12
"""Numbers that they may hold however small the activity is, and however large gradients: 16 kB."""


OfOutput = Callable[[Tensor], tuple[Tensor, Callable[[], Tensor]]]
"""From the output's spikes [steps, batch, neurons] to the loss, and to what computes its gradient.

That can be in the memory of the output, unless what computes it holds on to the output.
"""


@dataclass(frozen=True)
class OfRates:
    """A loss that is decided by how often each neuron spikes.

    ``loss`` goes from spikes a step, float32 [batch, neurons], to the loss and its gradient by
    these.
    """

    loss: Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class OfTrains:
    """A loss that is decided by when neurons spike.

    ``loss`` goes from spikes, or their sum, and from spikes a step as in ``OfRates``, to the loss
    and its gradient.
    """

    loss: Callable[[Spikes, Tensor], BySamples]


@dataclass(frozen=True, eq=False)
class Last:
    """The last layer, and whether the gradient of its current is wanted.

    ``activity`` is how many values the chain's layers hand out, ``gradients`` how many numbers the
    gradients of all their weights take.
    """

    source: Source
    layer: Layer
    shape: tuple[int, int, int]
    places: Places
    activity: int
    gradients: int
    want: bool

    def left(self, times: float) -> int:
        """Numbers that threads may take beside so many times the activity."""
        return max(_ALWAYS, left_beside(self.gradients, times, self.activity))


End = tuple[Tensor, Back, Tensor]
"""The loss, the last layer's gradients and its notes."""


def end(last: Last, loss: Distance | OfRates | OfTrains, target: Target | None) -> End:
    """By the loss; a distance needs the target."""
    if isinstance(loss, Distance):
        assert target is not None, "there is no target"
        assert math.prod(target.given.shape[2:]) == last.shape[2], "it does not fit the last layer"
        return _end_by_distance(last, loss, target)
    return _end_by_rates(last, loss) if isinstance(loss, OfRates) else _end_by_trains(last, loss)


def _end_by_distance(last: Last, distance: Distance, target: Target) -> End:
    steps, batch, neurons = last.shape
    size, of_filter = steps * batch * neurons, distance.of_filter
    grad_total = float(scalar(1) / size) if distance.mean else 1.0
    source = last.source
    # A thread takes a vector for all samples: with fewer vectors than threads some would be idle.
    is_shared_out = batch == 1 or -(-neurons // LANES) >= threads()
    trains = target.spikes
    if van_rossum.convolved(*of_filter, steps) is not None:
        floats = target.as_floats(last.shape)
        loss, back, notes = _end_by_parts(last, _distance_of(floats, distance, grad_total))
    elif not isinstance(trains, SpikeTrains):
        return _end_by_trains(last, _distance_of_sum(distance, target))
    elif (
        last.layer.is_fused
        and is_shared_out
        and isinstance(source, Events)
        and (rooms := _rooms_in_one(last, of_filter))[0]
    ):
        loss, back, notes = _end_in_one(last, source, trains, of_filter, grad_total, rooms)
    else:
        loss, back, notes = _end_from_whole(last, trains, of_filter, grad_total)
    return loss / size if distance.mean else loss, back, notes


def _distance_of(target_TBN: Tensor, distance: Distance, grad_total: float) -> OfOutput:
    """The loss before the mean, and the gradient with it."""
    of_filter, of_total = distance.of_filter, scalar(grad_total)

    def of_output(output_TBN: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        loss, kept = spike_time(output_TBN, target_TBN, *of_filter)
        needed = None if stand_for_output(kept) else output_TBN
        return loss, lambda: spike_time_backward(needed, target_TBN, kept, of_total, *of_filter)

    return of_output


def _distance_of_sum(distance: Distance, target: Target) -> OfTrains:
    """To a target that is no spike trains: by differences, as of a sum."""

    def loss(trains: Spikes, _rates_BN: Tensor) -> BySamples:
        return loss_of_sum(SpikeSum.of([trains]), distance, target)

    return OfTrains(loss)


def _rooms(
    crew: int, activity: int, most: float, left: int, room: Callable[[bool], int]
) -> tuple[int, bool]:
    """How many of a crew have a room, and whether they keep all differences there.

    Together they may take ``most`` times the activity, and not more than is ``left``; ``room`` says
    how much one takes.
    """
    numbers, of_all, of_some = int(max(_ALWAYS, most * activity)), room(True), room(False)
    keeps_all = 3 * crew * of_all <= min(numbers, left) or of_all <= of_some
    of_one = of_all if keeps_all else of_some
    return max(0, min(crew, numbers // of_one, left // of_one)), keeps_all


def _rooms_in_one(last: Last, of_filter: tuple[float, int, int]) -> tuple[int, bool]:
    """As ``_rooms``; none where one's room is too large."""

    def room(keeps_all: bool) -> int:
        inputs = last.layer.inputs
        return last_layer.room_for(last.shape, inputs, 0, of_filter, keeps_all, last.want)

    most, beside = (_MOST, 1.0) if last.want else (_MOST_ALONE, 0.0)
    threads_at_work = crew_of(last.shape[2])
    crew, keeps_all = _rooms(threads_at_work, last.activity, most, last.left(beside), room)
    if not (crew or last.want) and room(False) <= _MOST_OF_ONE * last.activity:
        return 1, False
    return crew, keeps_all


def _end_in_one(
    last: Last,
    events: Events,
    target: SpikeTrains,
    of_filter: tuple[float, int, int],
    grad_total: float,
    rooms: tuple[int, bool],
) -> End:
    layer, want, (crew, keeps_all) = last.layer, last.want, rooms
    assert layer.bits is not None, "events bring integers"
    _, batch, neurons = target.shape
    inputs = layer.inputs
    vectors = -(-neurons // LANES)
    by_sample = np.zeros((batch, 2 * neurons), np.float32) if layer.learn else None
    seen, squares = room_to_note(batch, neurons), np.empty(batch * neurons)
    grad_z = take((target.size if want else 0,), np.float32)
    grad_OI = room_by_vectors(neurons, inputs)
    ordered = by_source(events, inputs, neurons)
    numbers = last_layer.room_for(target.shape, inputs, ordered.length, of_filter, keeps_all, want)
    run(
        last_layer.there_and_back,
        events,
        layer.weights,
        *half_limits(layer.bits),
        *layer.constants,
        target.words,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        2.0 * grad_total,
        keeps_all,
        scratch((crew, numbers), np.float32),
        squares,
        seen,
        left_by_events(layer.shares) if want else NOTHING,
        grad_z,
        last.places,
        by_sample,
        ordered if ordered.length else None,
        grad_OI.reshape(vectors, -1),
    )
    handed = HandedBack((grad_z, last.places), layer, layer.shares, True) if want else None
    grad_decays = NO_DECAYS if by_sample is None else decays_of(by_sample)
    back = handed, torch.from_numpy(grad_OI[:neurons]), grad_decays
    notes, loss = notes_and_total(seen, EVENTS, squares)
    return scalar(loss), back, notes


def _rooms_from_whole(last: Last, of_filter: tuple[float, int, int]) -> tuple[int, bool]:
    """As ``_rooms``; one at least."""
    steps, batch, neurons = last.shape
    crew, keeps_all = _rooms(
        min(threads(), batch * -(-neurons // LANES)),
        last.activity,
        _MOST_BESIDE,
        last.left(1.0),
        functools.partial(last_whole.room_for, steps, of_filter),
    )
    return max(1, crew), keeps_all


def _end_from_whole(
    last: Last, target: SpikeTrains, of_filter: tuple[float, int, int], grad_total: float
) -> End:
    """One tensor: what arrives, then the voltages, then the gradient of what arrives.

    Of a layer whose current need not be whole, too, where threads would hold more than that.
    """
    layer, (steps, batch, neurons) = last.layer, last.shape
    z = current(last.source, last.shape, layer.weight_OI, layer.bits, last.places)
    if layer.between is not None:
        layer.between.there(z)
    voltage = z.reshape(-1).view(np.int32)
    seen, squares = room_to_note(batch, neurons), np.empty(batch * neurons)
    by_sample = np.zeros((batch, 2 * neurons), np.float32)
    crew, keeps_all = _rooms_from_whole(last, of_filter)
    last_whole.there_and_back(
        z.reshape(-1),
        voltage,
        last.places,
        batch,
        *layer.constants,
        layer.learn,
        target.words,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        2.0 * grad_total,
        keeps_all,
        scratch((crew, last_whole.room_for(steps, of_filter, keeps_all)), np.float32),
        squares,
        seen.reshape(-1),
        left_by_events(layer.shares_by(last.source)),
        by_sample,
    )
    notes, loss = notes_and_total(seen, path_of(last.source), squares)
    there = There(layer, last.source, last.shape, voltage, last.places, notes)
    return scalar(loss), from_whole(there, decays_of(by_sample), last.want), notes


def _end_by_parts(last: Last, of_output: OfOutput) -> End:
    """The same by the functions that the operators call."""
    out = take(last.shape, np.float32)
    there, _ = There.walked(
        last.layer, last.source, last.shape, last.places, last.want, out=out.reshape(-1)
    )
    loss, gradient = of_output(torch.from_numpy(out))
    del out  # its memory serves again
    return loss, from_output(there, gradient, last.want), there.notes


def _end_by_rates(last: Last, of_rates: OfRates) -> End:
    """A last layer whose spikes count, whenever they come: none of them is kept."""
    there, seen = There.walked(last.layer, last.source, last.shape, last.places, last.want)
    loss, grad_BN = of_rates.loss(rates_of(last.shape, seen))
    grad_TBN = (grad_BN / last.shape[0]).expand(last.shape)
    return loss, from_output(there, lambda: grad_TBN, last.want), there.notes


def _end_by_trains(last: Last, of_trains: OfTrains) -> End:
    """The same where it counts when: spikes are kept as bits."""
    trains = SpikeTrains.room(*last.shape)
    there, seen = There.walked(
        last.layer, last.source, last.shape, last.places, last.want, words=trains.words
    )
    judged = of_trains.loss(trains, rates_of(last.shape, seen))
    back = from_samples(there, judged.gradient, judged.at_once, last.want)
    return judged.loss(), back, there.notes


def rates_of(shape: tuple[int, int, int], seen: np.ndarray) -> Tensor:
    """Each neuron's spikes a step, float32 [batch, neurons], by what walks of a layer have seen."""
    steps, batch, neurons = shape
    counts_BN = counts_of(seen, batch, neurons)
    return torch.from_numpy(counts_BN.astype(np.float32)) / steps
