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

from torch import Tensor

from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.between import Between, MeanNorm
from netdesc.kernels.cpu.descent import (
    Back,
    There,
    through,
)
from netdesc.kernels.cpu.ending import Distance, Last, OfRates, OfTrains, Target, end
from netdesc.kernels.cpu.handed_back import HandedBack, Joined
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
    "OfTrains",
    "Passed",
    "differentiate",
    "examples",
]


_LISTS = 1
"""Bytes by step, sample and neuron that lists of the input's spikes may take: a quarter of a float.
"""


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
    """What a layer's passes left, there and back: notes, and gradients by weights and decays."""

    notes: Tensor
    outputs: int
    """How many values the layer hands out."""
    grad_OI: Tensor
    grad_decays: Tensor
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
    loss: Distance | OfRates | OfTrains,
    reads: Sequence[tuple[int, ...]] | None = None,
) -> tuple[Tensor, list[Passed]]:
    """The loss, and what each layer's passes left.

    ``reads`` are the numbers of those whose sum a layer reads, the input's being −1; without it
    each layer reads the one before. Where there is None for a layer, a view hands that sum on.
    """
    reads = reads or [(number - 1,) for number in range(len(layers))]
    check_sizes(given, layers, reads)
    steps, batch, _ = given.shape
    there, readings = list[There | None](), Readings(given.source, given.summand, steps, batch)
    *hidden, output = layers
    assert output is not None, "the last one is a layer"
    for layer, read in zip(hidden, reads, strict=False):
        if layer is None:
            readings.add_view(read)
            there.append(None)
            continue
        shape, source = (steps, batch, layer.outputs), readings.source(read)
        places = _places(source, layer, read, there, reads, given.shape)
        trains = SpikeTrains.room(*shape)
        of_layer, _ = There.walked(layer, source, shape, places, max(read) >= 0, words=trains.words)
        there.append(of_layer)
        readings.add(trains, int(of_layer.notes.numpy()[3]))
    read, source = reads[-1], readings.source(reads[-1])
    shape = steps, batch, output.outputs
    places = _places(source, output, read, there, reads, given.shape)
    del readings
    activity = steps * batch * sum(layer.outputs for layer in layers if layer is not None)
    gradients = sum(
        numbers_by_vectors(layer.outputs, layer.inputs) for layer in layers if layer is not None
    )
    last = Last(source, output, shape, places, activity, gradients, max(read) >= 0)
    value, back, notes = end(last, loss, given.target)
    passed = [_passed(notes, shape, back)]
    handed: dict[int, HandedBack | Joined] = {}
    if back[0] is not None:
        handed[len(layers) - 1] = back[0]
    del source, last, back
    _descend(there, reads, handed, passed)
    return value, passed[::-1]


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
    handed: dict[int, HandedBack | Joined],
    passed: list[Passed],
) -> None:
    """Down from the last layer, adding to ``passed``.

    What a layer has ``handed`` back is kept until all that it read have taken it, and no longer.
    """
    while there:
        number, of_layer = len(there) - 1, there.pop()
        above = [handed[each] for each in sorted(handed, reverse=True) if number in reads[each]]
        joined = above[0] if len(above) == 1 else Joined(above)
        if of_layer is None:
            handed[number] = joined
        else:
            back = through(of_layer, joined, max(reads[number]) >= 0)
            passed.append(_passed(of_layer.notes, of_layer.shape, back))
            if back[0] is not None:
                handed[number] = back[0]
            del back
        for each in [e for e in handed if not any(0 <= n < number for n in reads[e])]:
            del handed[each]
        del above, joined, of_layer


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
    alone = all(sum(n in each for each in reads) == 1 for n in before)
    is_direct = alone and len(of_layers) == len(before)
    if is_direct and all(isinstance(source, Events) and layer.is_fused for source, layer in pairs):
        return sample_first(steps)
    return time_first(batch)
