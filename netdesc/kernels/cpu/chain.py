"""A chain of dense layers and its loss: from a batch to all gradients.

What the operators compute one by one is computed here in one go, to the same bits. What nobody asks
for is never made: spikes between layers are a bit each, and where one walk does a last layer with a
van Rossum distance there and back, its spikes and voltages are in a thread's cache alone (see
``last_layer``). So an epoch of a small network moves a third of the memory, which is what its time
depends on where processors share their cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import last_layer, van_rossum
from netdesc.kernels.cpu.arrays import array_of, scalar
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.between import Between, MeanNorm
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.dense import (
    EVENTS,
    counts_of,
    notes_of,
    per_neuron,
    room_to_note,
    walk,
)
from netdesc.kernels.cpu.descent import (
    Back,
    HandedBack,
    Joined,
    Layer,
    There,
    from_output,
    through,
)
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.places import Places, sample_first, time_first
from netdesc.kernels.cpu.sources import Source, source_of
from netdesc.kernels.cpu.spike_time import spike_time, spike_time_backward
from netdesc.kernels.cpu.summands import Readings, Summand, summand_of
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import half_limits, integer_rows, room_by_vectors
from netdesc.kernels.packed_spikes import stand_for_output

__all__ = [
    "Between",
    "Distance",
    "Examples",
    "Layer",
    "MeanNorm",
    "OfOutput",
    "OfRates",
    "Passed",
    "differentiate",
    "examples",
]


_LISTS = 1
"""Bytes by step, sample and neuron that lists of the input's spikes may take: a quarter of a float.
"""


@dataclass(frozen=True)
class Distance:
    """The van Rossum distance to the target; the mean over all values if told.

    ``of_filter`` is decay, order and length (see ``reference.van_rossum.spike_time``).
    """

    of_filter: tuple[float, int, int]
    mean: bool


OfOutput = Callable[[Tensor], tuple[Tensor, Callable[[], Tensor]]]
"""Any other loss: from the output's spikes [steps, batch, neurons] to it, and to what computes its
gradient. That can be in the memory of the output, unless what computes it holds on to the output.
"""


@dataclass(frozen=True)
class OfRates:
    """A loss that is decided by how often each neuron spikes.

    ``loss`` goes from spikes a step, float32 [batch, neurons], to the loss and its gradient by
    these.
    """

    loss: Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch as a chain reads it: worked out once, however often the batch comes."""

    source: Source
    shape: tuple[int, int, int]
    """Steps, samples and inputs."""
    summand: Summand | None
    """The same, for layers that read the sum of the input and others."""
    target_TBN: Tensor | None
    """What spike trains are wanted, where the loss compares them."""
    target: SpikeTrains | None
    """The same, where it is 0 or 1 throughout."""


@dataclass(eq=False)
class Passed:
    """What a layer's passes left, there and back: notes, and gradients by weights and decays."""

    notes: Tensor
    outputs: int
    """How many values the layer hands out."""
    grad_OI: Tensor
    grad_decays: Tensor


@on_threads
def examples(
    input_TBI: Tensor, target_TBN: Tensor | None, neurons: int, sums: bool = False
) -> Examples:
    """The batch for a chain of so many neurons; it must not be changed in place from now on.

    ``sums`` says whether a layer reads the sum of the input and others.
    """
    steps, batch, inputs = input_TBI.shape
    shape = steps, batch, inputs
    source = source_of(input_TBI, _LISTS * steps * batch * neurons)
    summand = summand_of(input_TBI) if sums else None
    if target_TBN is None:
        return Examples(source, shape, summand, None, None)
    assert target_TBN.shape[:2] == shape[:2], "input and target differ in steps or samples"
    return Examples(source, shape, summand, target_TBN, SpikeTrains.of(array_of(target_TBN)))


@on_threads
def differentiate(
    given: Examples,
    layers: Sequence[Layer],
    loss: Distance | OfOutput | OfRates,
    reads: Sequence[tuple[int, ...]] | None = None,
) -> tuple[Tensor, list[Passed]]:
    """The loss, and what each layer's passes left.

    ``reads`` are the numbers of those whose sum a layer reads, the input's being −1; without it
    each layer reads the one before.
    """
    reads = reads or [(number - 1,) for number in range(len(layers))]
    _check_sizes(given, layers, reads)
    steps, batch, _ = given.shape
    there, readings = list[There](), Readings(given.source, given.summand, steps, batch)
    for layer, read in zip(layers[:-1], reads, strict=False):
        shape, source = (steps, batch, len(layer.weight_OI)), readings.source(read)
        places = _places(source, layer, read, there, reads, given.shape)
        trains = SpikeTrains.room(*shape)
        of_layer, _ = _walk(layer, source, shape, places, words=trains.words)
        there.append(of_layer)
        readings.add(trains, int(of_layer.notes[3]))
    read, source = reads[-1], readings.source(reads[-1])
    shape = steps, batch, len(layers[-1].weight_OI)
    places = _places(source, layers[-1], read, there, reads, given.shape)
    del readings
    last = _Last(source, layers[-1], shape, places, max(read) >= 0)
    value, back, notes = _end(last, given, loss)
    passed = [_passed(notes, shape, back)]
    handed = {} if back[0] is None else {len(layers) - 1: HandedBack(back[0], layers[-1])}
    del source, last, back
    _descend(there, layers, reads, handed, passed)
    return value, passed[::-1]


def _check_sizes(
    given: Examples, layers: Sequence[Layer], reads: Sequence[tuple[int, ...]]
) -> None:
    """Kernels look at no bounds."""
    sizes = [*(len(layer.weight_OI) for layer in layers), given.shape[2]]  # the input is −1
    for number, (layer, read) in enumerate(zip(layers, reads, strict=True)):
        assert all(each < number for each in read), "a layer reads one after it"
        assert {sizes[each] for each in read} == {layer.weight_OI.shape[1]}, "weights do not fit"


def _descend(
    there: list[There],
    layers: Sequence[Layer],
    reads: Sequence[tuple[int, ...]],
    handed: dict[int, HandedBack],
    passed: list[Passed],
) -> None:
    """Down from the last layer, adding to ``passed``.

    What a layer has ``handed`` back is kept until all that it read have taken it, and no longer.
    """
    while there:
        number, of_layer = len(there) - 1, there.pop()
        above = [handed[each] for each in sorted(handed, reverse=True) if number in reads[each]]
        joined = above[0] if len(above) == 1 else Joined(above)
        back = through(of_layer, joined, max(reads[number]) >= 0)
        passed.append(_passed(of_layer.notes, of_layer.shape, back))
        if back[0] is not None:
            handed[number] = HandedBack(back[0], layers[number])
        for each in [e for e in handed if not any(0 <= n < number for n in reads[e])]:
            del handed[each]
        del above, joined, of_layer, back


def _walk(
    layer: Layer,
    source: Source,
    shape: tuple[int, int, int],
    places: Places,
    **into: np.ndarray,
) -> tuple[There, np.ndarray]:
    """Through a layer (see ``dense.walk``), and what was seen there."""
    weights = layer.weight_OI, layer.bits
    between = layer.between and layer.between.there
    voltage, seen, path = walk(
        source, shape, *weights, layer.neurons, places, between=between, **into
    )
    return There(layer, source, shape, voltage, places, notes_of(seen, path)), seen


def _passed(notes: Tensor, shape: tuple[int, int, int], back: Back) -> Passed:
    steps, batch, neurons = shape
    return Passed(notes, steps * batch * neurons, *back[1:])


def _places(
    source: Source,
    layer: Layer,
    read: tuple[int, ...],
    there: Sequence[There],
    reads: Sequence[tuple[int, ...]],
    shape: tuple[int, int, int],
) -> Places:
    """Where the voltages of a layer are to lie, and so the gradient that it hands back.

    The matrix product reads its source time-first, a current that is whole is time-first, and what
    several layers hand back to one is added up so. The layer itself or one that it reads may be of
    that kind.
    """
    steps, batch, _ = shape
    before = [number for number in read if number >= 0]
    pairs = [(source, layer), *((there[n].source, there[n].layer) for n in before)]
    alone = all(sum(n in each for each in reads) == 1 for n in before)
    if alone and all(isinstance(source, Events) and layer.is_fused for source, layer in pairs):
        return sample_first(steps)
    return time_first(batch)


@dataclass(frozen=True, eq=False)
class _Last:
    """The last layer, and whether the gradient of its current is wanted."""

    source: Source
    layer: Layer
    shape: tuple[int, int, int]
    places: Places
    want: bool


_End = tuple[Tensor, Back, Tensor]
"""The loss, the last layer's gradients and its notes."""


def _end(last: _Last, given: Examples, loss: Distance | OfOutput | OfRates) -> _End:
    if isinstance(loss, Distance):
        return _end_by_distance(last, given, loss)
    return _end_by_rates(last, loss) if isinstance(loss, OfRates) else _end_by_parts(last, loss)


def _end_by_distance(last: _Last, given: Examples, distance: Distance) -> _End:
    """A last layer with a van Rossum distance."""
    assert given.target_TBN is not None, "there is no target"
    assert given.target_TBN.shape == last.shape, "the target does not fit the last layer"
    steps, batch, neurons = last.shape
    size = steps * batch * neurons
    grad_total = torch.ones(())
    if distance.mean:
        grad_total = grad_total / size
    vectors = -(-neurons // LANES)
    # A thread takes a vector for all samples: with fewer vectors than threads some would be idle.
    if (
        isinstance(last.source, Events)
        and last.layer.is_fused
        and given.target is not None
        and not last.layer.learn
        and (batch == 1 or vectors >= threads())
        and van_rossum.convolved(*distance.of_filter, steps) is None
    ):
        of_filter, scale = distance.of_filter, float(grad_total)
        loss, back, notes = _end_in_one(last, last.source, given.target, of_filter, scale)
    else:
        of_output = _distance_of(given.target_TBN, distance, grad_total)
        loss, back, notes = _end_by_parts(last, of_output)
    return loss / size if distance.mean else loss, back, notes


def _distance_of(target_TBN: Tensor, distance: Distance, grad_total: Tensor) -> OfOutput:
    """The loss before the mean, and the gradient with it."""
    of_filter = distance.of_filter

    def of_output(output_TBN: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        loss, kept = spike_time(output_TBN, target_TBN, *of_filter)
        needed = None if stand_for_output(kept) else output_TBN
        return loss, lambda: spike_time_backward(needed, target_TBN, kept, grad_total, *of_filter)

    return of_output


def _end_in_one(
    last: _Last,
    events: Events,
    target: SpikeTrains,
    of_filter: tuple[float, int, int],
    grad_total: float,
) -> _End:
    layer, want = last.layer, last.want
    assert layer.bits is not None, "events bring integers"
    steps, batch, neurons = target.shape
    weight_OI = array_of(layer.weight_OI)
    inputs, given = weight_OI.shape[1], layer.neurons
    vectors, crew = -(-neurons // LANES), threads()
    seen, squares = room_to_note(batch, neurons), np.empty(batch * neurons)
    grad_z = take((target.size if want else 0,), np.float32)
    grad_OI = room_by_vectors(neurons, inputs)
    last_layer.there_and_back(
        events,
        integer_rows(layer.weight_OI, layer.bits).reshape(-1),
        weight_OI,
        *half_limits(layer.bits),
        *per_neuron(given),
        np.int32(given.threshold),
        given.delay,
        given.height,
        given.width,
        target.words,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        2.0 * grad_total,
        scratch((crew, last_layer.room_for(steps, inputs)), np.float32),
        squares,
        seen,
        want,
        grad_z,
        last.places,
        grad_OI.reshape(vectors, -1),
    )
    handed = (grad_z, last.places) if want else None
    back = handed, torch.from_numpy(grad_OI[:neurons]), torch.zeros(2, neurons)
    return scalar(squares.sum()), back, notes_of(seen, EVENTS)


def _end_by_parts(last: _Last, of_output: OfOutput) -> _End:
    """The same by the functions that the operators call."""
    out = take(last.shape, np.float32)
    there, _ = _walk(last.layer, last.source, last.shape, last.places, out=out.reshape(-1))
    loss, gradient = of_output(torch.from_numpy(out))
    del out  # its memory serves again
    return loss, from_output(there, gradient, last.want), there.notes


def _end_by_rates(last: _Last, of_rates: OfRates) -> _End:
    """A last layer whose spikes count, whenever they come: none of them is kept."""
    steps, batch, neurons = last.shape
    there, seen = _walk(last.layer, last.source, last.shape, last.places)
    counts_BN = counts_of(seen, batch, neurons)
    loss, grad_BN = of_rates.loss(torch.from_numpy(counts_BN.astype(np.float32)) / steps)
    grad_TBN = (grad_BN / steps).expand(last.shape)
    return loss, from_output(there, lambda: grad_TBN, last.want), there.notes
