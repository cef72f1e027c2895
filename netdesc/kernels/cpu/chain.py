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
from netdesc.kernels.cpu.adjoints import dense_cuba_backward
from netdesc.kernels.cpu.arrays import array_of, rows_of, scalar
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.dense import (
    EVENT_DENSITY,
    EVENTS,
    notes_of,
    per_neuron,
    room_to_note,
    trains_from_events,
)
from netdesc.kernels.cpu.engine import dense_cuba, spike_time, spike_time_backward
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import half_limits, integer_rows, quantized
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

    input_TBI: Tensor
    events: EventLists | None
    """Those of the input, where they pay."""
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
    """What the way back through a layer needs; the input is None where its events suffice."""

    input_TBI: Tensor | None
    events: Tensor
    voltage_TBO: Tensor
    notes: Tensor


@on_threads
def examples(input_TBI: Tensor, target_TBN: Tensor) -> Examples:
    """The batch, which must not be changed in place from now on."""
    assert input_TBI.shape[:2] == target_TBN.shape[:2], (
        "input and target differ in steps or samples"
    )
    return Examples(
        input_TBI,
        _events_of(input_TBI),
        target_TBN,
        SpikeTrains.of(array_of(target_TBN)),
    )


def _events_of(value: Tensor | SpikeTrains, spikes: int | None = None) -> EventLists | None:
    """The events of a layer's input, ``spikes`` of them if that is known, where they pay."""
    if isinstance(value, SpikeTrains):
        assert spikes is not None
        return EventLists.of_trains(value) if spikes <= EVENT_DENSITY * value.size else None
    lists = EventLists(rows_of(value), EVENT_DENSITY)
    return lists if lists.pays else None


@on_threads
def differentiate(
    given: Examples, layers: Sequence[Layer], of_filter: Filter, mean: bool
) -> tuple[Tensor, list[Passed]]:
    """The loss, and what each layer's passes left; the mean over all values if told."""
    value: Tensor | SpikeTrains = given.input_TBI
    sizes = [value.shape[2], *(len(layer.weight_OI) for layer in layers)]
    assert [layer.weight_OI.shape[1] for layer in layers] == sizes[:-1], "weights do not fit"
    assert given.target_TBN.shape[2] == sizes[-1], "the target does not fit the last layer"
    events = given.events
    there: list[_There] = []
    for layer in layers[:-1]:
        value, passed = _forward(value, events, layer)
        there.append(passed)
        events = _events_of(value, int(passed.notes[3]))
    loss, grad, last = _end(value, events, layers[-1], given, of_filter, mean, bool(there))
    back = [last]
    for layer, passed in zip(layers[-2::-1], reversed(there), strict=True):
        grad, *grads = dense_cuba_backward(
            grad,
            passed.input_TBI,
            passed.events,
            layer.weight_OI,
            layer.bits,
            passed.voltage_TBO,
            layer.neurons,
            layer.learn,
            len(back) < len(there),
        )
        back.append(Passed(passed.notes, passed.voltage_TBO.numel(), *grads))
    return loss, back[::-1]


def _dense(value: Tensor | SpikeTrains) -> Tensor:
    return torch.from_numpy(value.values()) if isinstance(value, SpikeTrains) else value


def _forward(
    value: Tensor | SpikeTrains, events: EventLists | None, layer: Layer
) -> tuple[Tensor | SpikeTrains, _There]:
    if events is None:
        input_TBI = _dense(value)
        out, voltage, notes, lists = dense_cuba(
            input_TBI, layer.weight_OI, layer.bits, layer.neurons
        )
        return out, _There(input_TBI, lists, voltage, notes)
    batch = value.shape[1]
    out, voltage, notes = trains_from_events(
        events, batch, layer.weight_OI, layer.bits, layer.neurons
    )
    return out, _There(None, events.hand_over(), voltage, notes)


def _end(
    value: Tensor | SpikeTrains,
    events: EventLists | None,
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
        events is not None
        and given.target is not None
        and not layer.learn
        and (batch == 1 or vectors >= threads())
        and van_rossum.convolved(*of_filter, steps) is None
    ):
        loss, grad, passed = _end_in_one(
            events, given.target, layer, of_filter, float(grad_total), want_input
        )
    else:
        loss, grad, passed = _end_by_parts(
            _dense(value), layer, given.target_TBN, of_filter, grad_total, want_input
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
    grad_OI = take(weight_OI.shape, np.float32)
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
        np.empty((crew, steps), np.int32),
        squares,
        seen,
        want_input,
        grad_z.reshape(-1),
        take((vectors, inputs * LANES), np.float32),
        grad_OI,
    )
    grad = torch.empty(0)
    if want_input:
        rows = grad_z.reshape(-1, neurons)
        grad_rows = take((steps * batch, inputs), np.float32)
        product.matmul(rows, quantized(layer.weight_OI, layer.bits), grad_rows)
        grad = torch.from_numpy(grad_rows.reshape(steps, batch, inputs))
    no_decays = torch.zeros(2, neurons)
    notes = notes_of(seen, EVENTS)
    passed = Passed(notes, target.size, torch.from_numpy(grad_OI), no_decays)
    return scalar(squares.sum()), grad, passed


def _end_by_parts(
    input_TBI: Tensor,
    layer: Layer,
    target_TBN: Tensor,
    of_filter: Filter,
    grad_total: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor, Passed]:
    """The same by the functions that the operators call."""
    output, voltage, notes, events = dense_cuba(
        input_TBI, layer.weight_OI, layer.bits, layer.neurons
    )
    loss, kept = spike_time(output, target_TBN, *of_filter)
    needed = None if stand_for_output(kept) else output
    del output  # its memory is that of the gradient
    grad = spike_time_backward(needed, target_TBN, kept, grad_total, *of_filter)
    listed = None if events.numpy()[0] else input_TBI
    grad, *grads = dense_cuba_backward(
        grad,
        listed,
        events,
        layer.weight_OI,
        layer.bits,
        voltage,
        layer.neurons,
        layer.learn,
        want_input,
    )
    return loss, grad, Passed(notes, voltage.numel(), *grads)
