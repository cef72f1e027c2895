"""A chain of dense layers with a van Rossum distance at its end: from a batch to all gradients.

What the operators compute one by one is computed here in one go, to the same bits. What nobody asks
for is never made: spikes between layers are a bit each, and of the last layer there are neither
spikes nor voltages but in a thread's cache (see ``last_layer``). So an epoch of a small network
moves a third of the memory, which is what its time depends on where processors share their cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import last_layer, product, van_rossum
from netdesc.kernels.cpu.adjoints import way_back
from netdesc.kernels.cpu.arrays import array_of, scalar
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.dense import (
    EVENTS,
    notes_of,
    per_neuron,
    room_to_note,
    spikes_from,
    trains_from,
)
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.sources import Source, source_of, source_of_trains
from netdesc.kernels.cpu.spike_time import spike_time, spike_time_backward
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import half_limits, integer_rows, quantized, room_by_vectors
from netdesc.kernels.packed_spikes import stand_for_output
from netdesc.kernels.parameters import Dynamics

Filter = tuple[float, int, int]
"""Decay, order and length (see ``reference.van_rossum.spike_time``)."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights, their bits, the neurons, and whether a decay of theirs is learnt."""

    weight_OI: Tensor
    bits: int
    neurons: Dynamics
    learn: bool


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch as a chain reads it: worked out once, however often the batch comes."""

    source: Source
    inputs: int
    target_TBN: Tensor
    target: SpikeTrains | None
    """The same, where the target is 0 or 1 throughout."""


@dataclass(eq=False)
class Passed:
    """What a layer's passes left, there and back: notes, and gradients by weights and decays."""

    notes: Tensor
    outputs: int
    """How many values the layer hands out."""
    grad_OI: Tensor
    grad_decays: Tensor


@dataclass(eq=False)
class _There:
    """What the way back through a layer needs."""

    layer: Layer
    source: Source
    voltage_TBO: Tensor
    notes: Tensor


@on_threads
def examples(input_TBI: Tensor, target_TBN: Tensor) -> Examples:
    """The batch, which must not be changed in place from now on."""
    assert input_TBI.shape[:2] == target_TBN.shape[:2], (
        "input and target differ in steps or samples"
    )
    target = SpikeTrains.of(array_of(target_TBN))
    return Examples(source_of(input_TBI), input_TBI.shape[2], target_TBN, target)


@on_threads
def differentiate(
    given: Examples, layers: Sequence[Layer], of_filter: Filter, mean: bool
) -> tuple[Tensor, list[Passed]]:
    """The loss, and what each layer's passes left; the mean over all values if told."""
    sizes = [given.inputs, *(len(layer.weight_OI) for layer in layers)]
    assert [layer.weight_OI.shape[1] for layer in layers] == sizes[:-1], "weights do not fit"
    assert given.target_TBN.shape[2] == sizes[-1], "the target does not fit the last layer"
    steps, batch, _ = given.target_TBN.shape
    source, there = given.source, list[_There]()
    for layer in layers[:-1]:
        shape = steps, batch, len(layer.weight_OI)
        trains, voltage, notes = trains_from(
            source, shape, layer.weight_OI, layer.bits, layer.neurons
        )
        there.append(_There(layer, source, voltage, notes))
        source = source_of_trains(trains, int(notes[3]))
    loss, grad, last = _end(source, layers[-1], given, of_filter, mean, bool(there))
    back = [last]
    while there:
        grad, passed = _back(there.pop(), grad, bool(there))
        back.append(passed)
    return loss, back[::-1]


def _back(there: _There, grad_TBO: Tensor, want_input: bool) -> tuple[Tensor, Passed]:
    """The gradient by the layer's input, where it is wanted, and what its passes left.

    That by its output is used up.
    """
    layer = there.layer
    grad, *grads = way_back(
        grad_TBO,
        there.source,
        layer.weight_OI,
        layer.bits,
        there.voltage_TBO,
        layer.neurons,
        layer.learn,
        want_input,
        overwrite=True,
    )
    return grad, Passed(there.notes, there.voltage_TBO.numel(), *grads)


def _end(
    source: Source,
    layer: Layer,
    given: Examples,
    of_filter: Filter,
    mean: bool,
    want_input: bool,
) -> tuple[Tensor, Tensor, Passed]:
    """The last layer: the loss, the gradient by its input, and what its passes left."""
    size = given.target_TBN.numel()
    grad_total = torch.ones(())
    if mean:
        grad_total = grad_total / size
    steps, batch, _ = given.target_TBN.shape
    vectors = -(-len(layer.weight_OI) // LANES)
    # A thread takes a vector for all samples: with fewer vectors than threads some would be idle.
    if (
        isinstance(source, EventLists)
        and given.target is not None
        and not layer.learn
        and (batch == 1 or vectors >= threads())
        and van_rossum.convolved(*of_filter, steps) is None
    ):
        loss, grad, passed = _end_in_one(
            source, given.target, layer, of_filter, float(grad_total), want_input
        )
    else:
        loss, grad, passed = _end_by_parts(
            source, layer, given.target_TBN, of_filter, grad_total, want_input
        )
    return loss / size if mean else loss, grad, passed


def _end_in_one(
    events: EventLists,
    target: SpikeTrains,
    layer: Layer,
    of_filter: Filter,
    grad_total: float,
    want_input: bool,
) -> tuple[Tensor, Tensor, Passed]:
    steps, batch, neurons = target.shape
    weight_OI = array_of(layer.weight_OI)
    inputs, given = weight_OI.shape[1], layer.neurons
    vectors, crew = -(-neurons // LANES), threads()
    seen, squares = room_to_note(batch, neurons), np.empty(batch * neurons)
    grad_z = take(target.shape if want_input else (0, 0, 0), np.float32)
    grad_OI = room_by_vectors(neurons, inputs)
    last_layer.there_and_back(
        events.starts,
        events.ends,
        events.sources,
        integer_rows(layer.weight_OI, layer.bits).reshape(-1),
        weight_OI,
        *half_limits(layer.bits),
        *per_neuron(given),
        np.int32(given.threshold),
        given.delay,
        given.height,
        given.width,
        batch,
        target.words,
        *van_rossum.recurrence(*of_filter),
        of_filter[2],
        2.0 * grad_total,
        take((crew, steps * LANES), np.int32),
        take((crew, steps * LANES), np.float32),
        take((crew, steps), np.int32),
        squares,
        seen,
        want_input,
        grad_z.reshape(-1),
        take((crew, inputs * LANES), np.float32),
        grad_OI.reshape(vectors, -1),
    )
    grad = torch.empty(0)
    if want_input:
        rows = grad_z.reshape(-1, neurons)
        grad_rows = take((steps * batch, inputs), np.float32)
        product.matmul(rows, quantized(layer.weight_OI, layer.bits), grad_rows)
        grad = torch.from_numpy(grad_rows.reshape(steps, batch, inputs))
    no_decays = torch.zeros(2, neurons)
    notes = notes_of(seen, EVENTS)
    passed = Passed(notes, target.size, torch.from_numpy(grad_OI[:neurons]), no_decays)
    return scalar(squares.sum()), grad, passed


def _end_by_parts(
    source: Source,
    layer: Layer,
    target_TBN: Tensor,
    of_filter: Filter,
    grad_total: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor, Passed]:
    """The same by the functions that the operators call."""
    steps, batch, neurons = target_TBN.shape
    output, voltage, notes = spikes_from(
        source, (steps, batch, neurons), layer.weight_OI, layer.bits, layer.neurons
    )
    loss, kept = spike_time(output, target_TBN, *of_filter)
    needed = None if stand_for_output(kept) else output
    del output  # its memory is that of the gradient
    grad = spike_time_backward(needed, target_TBN, kept, grad_total, *of_filter)
    return loss, *_back(_There(layer, source, voltage, notes), grad, want_input)
