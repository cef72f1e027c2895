"""A chain of dense layers and its loss: from a batch to all gradients.

What the operators compute one by one is computed here in one go, to the same bits. What nobody asks
for is never made: spikes between layers are a bit each, and where one walk does a last layer with a
van Rossum distance there and back, its spikes and voltages are in a thread's cache alone (see
``last_layer``). So an epoch of a small network moves a third of the memory, which is what its time
depends on where processors share their cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from netdesc.kernels.cpu.ahead import walked
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.between import Between, MeanNorm
from netdesc.kernels.cpu.descent import (
    Back,
    There,
    through,
)
from netdesc.kernels.cpu.distance import Distance, Target
from netdesc.kernels.cpu.end_of_sum import OfSums, loss_of_sum
from netdesc.kernels.cpu.ending import Last, OfRates, OfTrains, end
from netdesc.kernels.cpu.handed_back import HandedBack, Joined, OfSum
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.places import Places, sample_first, time_first
from netdesc.kernels.cpu.sources import Source, source_of, source_of_words
from netdesc.kernels.cpu.summands import Readings, Summand, summand_of
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import numbers_by_vectors
from netdesc.kernels.spike_words import SpikeWords

__all__ = [
    "Between",
    "Distance",
    "Examples",
    "Layer",
    "MeanNorm",
    "OfRates",
    "OfSums",
    "OfTrains",
    "Passed",
    "differentiate",
    "examples",
]


_LISTS = 1
"""Bytes by step, sample and neuron that lists of the input's spikes may take: a quarter of a float.
"""


Handed = dict[int, HandedBack | OfSum | Joined]


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch as a chain reads it: worked out once, however often the batch comes."""

    source: Source
    shape: tuple[int, int, int]
    """Steps, samples and inputs."""
    summand: Summand | None
    """The same, for layers that read the sum of the input and others."""
    target: Target | None
    """Where the loss compares spike trains."""


class AtHand(NamedTuple):
    """What may be known of a layer after its passes, for who would have to look for it."""

    squares: float
    """The sum of the squares of its weights' gradients."""
    total: float
    """The sum of its weights."""
    spikes: int
    """How many it has handed out."""


@dataclass(eq=False)
class Passed:
    """What a layer's passes left, there and back: notes, and gradients by weights and decays.

    There are no gradients where the loss does not depend on the layer.
    """

    notes: Tensor
    outputs: int
    """How many values the layer hands out."""
    grad_OI: Tensor | None
    grad_decays: Tensor | None
    at_hand: AtHand | None = None
    """Known where the pass was a noted one (see ``repeated``)."""


@on_threads
def examples(
    input_TBI: Tensor | SpikeWords,
    target_TBN: Tensor | SpikeWords | None,
    neurons: int,
    sums: bool = False,
) -> Examples:
    """The batch for a chain of so many neurons; it must not be changed in place from now on.

    Words may have several axes of inputs, or of neurons. ``sums`` says whether a layer reads the
    sum of the input and others.
    """
    steps, batch, *inputs = input_TBI.shape
    shape, room = (steps, batch, math.prod(inputs)), _LISTS * steps * batch * neurons
    if isinstance(input_TBI, SpikeWords):
        source = source_of_words(input_TBI, room)
    else:
        source = source_of(input_TBI, room)
    summand = summand_of(input_TBI) if sums else None
    if target_TBN is None:
        return Examples(source, shape, summand, None)
    assert target_TBN.shape[:2] == shape[:2], "input and target differ in steps or samples"
    return Examples(source, shape, summand, Target.of(target_TBN))


@on_threads
def differentiate(
    given: Examples,
    layers: Sequence[Layer | None],
    loss: Distance | OfRates | OfTrains | OfSums,
    reads: Sequence[tuple[int, ...]] | None = None,
    idle: int = 0,
) -> tuple[Tensor, list[Passed]]:
    """The loss, and what each layer's passes left.

    ``reads`` are the numbers of those whose sum a layer reads, the input's being −1; without it
    each layer reads the one before. Where there is None for a layer, a view hands that sum on. The
    last but for ``idle`` ones is the output, which reads none of these; where it is a view, a loss
    by labels is ``OfSums``.
    """
    reads = reads or [(number - 1,) for number in range(len(layers))]
    check_sizes(given, layers, reads)
    steps, batch, _ = given.shape
    there, readings = list[There | None](), Readings(given.source, given.summand, steps, batch)
    number = len(layers) - idle - 1
    alive = reads[: number + 1]
    assert any(layers[: number + 1]), "the output depends on no layer"
    for each, (layer, read) in enumerate(zip(layers[:number], alive, strict=False)):
        if layer is None:
            readings.add_view(each, read)
            there.append(None)
            continue
        places = _places(readings.source(read), layer, read, there, alive, given.shape)
        there.append(_walked(each, layer, read, readings, given.shape, places))
    aside = _walk_idle(number, layers, reads, readings, given.shape) if idle else []
    output, read = layers[number], alive[number]
    if output is None:
        assert isinstance(loss, Distance | OfSums), "the output is a sum"
        summed = readings.summed(read)
        of_sum = loss_of_sum(summed, loss, given.target)
        of_all = summed.shape, _layers_in(number, there, alive)
        handed: Handed = {number: OfSum(of_sum.gradient, of_sum.at_once, *of_all)}
        del readings, summed
        passed = _descend(there, alive, handed, (steps, batch))
        return of_sum.loss(), [*passed, *aside]
    assert not isinstance(loss, OfSums), "the output is a layer"
    source, shape = readings.source(read), (steps, batch, output.outputs)
    places = _places(source, output, read, there, alive, given.shape)
    del readings
    dense = [layer for layer in layers[: number + 1] if layer is not None]
    activity = steps * batch * sum(layer.outputs for layer in dense)
    gradients = sum(numbers_by_vectors(layer.outputs, layer.inputs) for layer in dense)
    last = Last(source, output, shape, places, activity, gradients, max(read) >= 0)
    value, back, notes = end(last, loss, given.target)
    of_output = _passed(notes, shape, back)
    handed = {} if back[0] is None else {number: back[0]}
    del source, last, back
    return value, [*_descend(there, alive, handed, (steps, batch)), of_output, *aside]


def _walked(
    number: int,
    layer: Layer,
    read: tuple[int, ...],
    readings: Readings,
    shape: tuple[int, int, int],
    places: Places,
) -> There:
    """The way there through a layer, of which ``readings`` get the spikes.

    ``shape`` is that of the input.
    """
    trains = SpikeTrains.room(*shape[:2], layer.outputs)
    of_layer = layer, readings.source(read), trains.shape, places, max(read) >= 0
    there, _ = There.walked(*of_layer, words=trains.words)
    readings.add(number, trains, int(there.notes.numpy()[3]))
    return there


def _walk_idle(
    output: int,
    layers: Sequence[Layer | None],
    reads: Sequence[tuple[int, ...]],
    readings: Readings,
    shape: tuple[int, int, int],
) -> list[Passed]:
    """The way there alone through those that the output does not depend on, but which may read it.

    Nobody comes back for their voltages.
    """
    passed: list[Passed] = []
    (steps, batch, _), is_read = shape, any(output in read for read in reads)
    for number in range(output if is_read else output + 1, len(layers)):
        layer, read = layers[number], reads[number]
        if layer is None:
            readings.add_view(number, read)
            continue
        if layer.between is None:
            of_layer = walked(layer, readings.source(read), steps, batch)
            readings.add(number, of_layer.trains, of_layer.spikes)
            notes = of_layer.notes
        else:
            notes = _walked(number, layer, read, readings, shape, time_first(batch)).notes
        if number > output:
            passed.append(Passed(notes, steps * batch * layer.outputs, None, None))
    return passed


def check_sizes(
    given: Examples, layers: Sequence[Layer | None], reads: Sequence[tuple[int, ...]]
) -> None:
    """Kernels look at no bounds."""
    sizes: list[int] = []
    for number, (layer, read) in enumerate(zip(layers, reads, strict=True)):
        assert read, "a layer reads nothing"
        assert max(read) < number, "a layer reads one after it"
        inputs = {given.shape[2] if each < 0 else sizes[each] for each in read}
        assert len(inputs) == 1, "what is added up does not fit"
        assert layer is None or inputs == {layer.inputs}, "weights do not fit"
        sizes += inputs if layer is None else [layer.outputs]


def _descend(
    there: list[There | None],
    reads: Sequence[tuple[int, ...]],
    handed: Handed,
    shape: tuple[int, int],
) -> list[Passed]:
    """Down from the output; in the order of the layers. ``shape`` are steps and samples.

    What a layer has ``handed`` back is kept until all that it read have taken it, and no longer.
    """
    passed: list[Passed] = []
    while there:
        number, of_layer = len(there) - 1, there.pop()
        takes = [
            handed[each]
            for each in sorted(handed, reverse=True)
            for _ in range(reads[each].count(number))
        ]
        joined = takes[0] if len(takes) == 1 else Joined(takes)
        if of_layer is None:
            layers = _layers_in(number, there, reads)
            if isinstance(joined, Joined) and _is_better_whole(joined, layers):
                joined = _whole(joined, layers, shape)
            handed[number] = joined
        else:
            back = through(of_layer, joined, max(reads[number]) >= 0)
            passed.append(_passed(of_layer.notes, of_layer.shape, back))
            if back[0] is not None:
                handed[number] = back[0]
            del back
        for each in [e for e in handed if not any(0 <= n < number for n in reads[e])]:
            del handed[each]
        del takes, joined, of_layer
    return passed[::-1]


def _is_better_whole(joined: Joined, layers: int) -> bool:
    """Whether what a view hands back to so many layers is made at once, and not by each of them.

    Else, with sums of sums of sums, each layer would go through the weights of all that follow.
    """
    return layers > 1 and sum(isinstance(each, HandedBack) for each in joined.times) > 1


def _layers_in(view: int, there: Sequence[There | None], reads: Sequence[tuple[int, ...]]) -> int:
    """How many layers a view adds up, and views that it adds up."""
    layers, asked = set[int](), {*reads[view]}
    while asked:
        each = asked.pop()
        if each >= 0 and there[each] is not None:
            layers.add(each)
        elif each >= 0:
            asked.update(reads[each])
    return len(layers)


def _whole(joined: Joined, layers: int, shape: tuple[int, int]) -> OfSum:
    """The same for so many layers."""
    (steps, batch), neurons = shape, joined.inputs
    for each in joined.times:
        if isinstance(each, OfSum):
            each.expect_another()
    total, _ = joined.by_input(batch)
    grad_TBN = torch.from_numpy(total.reshape(steps, batch, neurons))
    return OfSum(lambda *_: grad_TBN, batch, (steps, batch, neurons), layers)


def _passed(notes: Tensor, shape: tuple[int, int, int], back: Back) -> Passed:
    steps, batch, neurons = shape
    return Passed(notes, steps * batch * neurons, *back[1:])


def _places(
    source: Source,
    layer: Layer,
    read: tuple[int, ...],
    there: Sequence[There | None],
    reads: Sequence[tuple[int, ...]],
    shape: tuple[int, int, int],
) -> Places:
    """Where the voltages of a layer are to lie, and so the gradient that it hands back.

    The matrix product reads its source time-first, a current that is whole is time-first, and what
    several layers hand back to one is added up so, as it is where a view is between. The layer
    itself or one that it reads may be of that kind.
    """
    steps, batch, _ = shape
    before = [number for number in read if number >= 0]
    of_layers = [each for number in before if (each := there[number]) is not None]
    pairs = [(source, layer), *((each.source, each.layer) for each in of_layers)]
    alone = all(sum(each.count(n) for each in reads) == 1 for n in before)
    is_direct = alone and len(of_layers) == len(before)
    if is_direct and all(isinstance(source, Events) and layer.is_fused for source, layer in pairs):
        return sample_first(steps)
    return time_first(batch)
