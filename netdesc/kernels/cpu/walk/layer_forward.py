"""The forward pass of one layer of neurons, from events or from a synaptic input.

A thread computes all steps of one vector of neurons in one sample. So the time loop has no barrier,
states stay in registers, and no result depends on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import torch

from netdesc.kernels.cpu.runtime.bitmask import to_bitmask
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.layout import sample_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast, where
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.state_arithmetic import decay_state, from_state, saturate, to_state
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.packed_spikes import Shape, packed_items
from netdesc.kernels.cpu.synapses.synaptic_input import gather_integer, gather_real
from netdesc.kernels.cpu.synapses.weights import integer_vectors, max_adds_in_int16, real_vectors
from netdesc.kernels.cpu.walk.cuba_step import NeuronParameters
from netdesc.kernels.cpu.walk.forward_loop import NOTES_PER_VECTOR, Span, forward_loop_of
from netdesc.kernels.cpu.walk.voltages import Voltages, voltage_of

PRODUCT, EVENTS = 0, 1
"""Values of ``notes[2]``: how the synaptic input was computed (see ``kernels.operators``)."""

_NO_BITMASKS, _NO_VALUES = np.empty(0, np.int32), np.empty(0, np.float32)


class SpikeOutput(NamedTuple):
    """Memory for a layer's spikes: bitmasks (see ``packed_spikes``) or floats.

    The array that is not used is empty.
    """

    bitmasks: np.ndarray
    values: np.ndarray


def bitmask_output(bitmasks: np.ndarray) -> SpikeOutput:
    return SpikeOutput(bitmasks, _NO_VALUES)


def float_output(shape: Shape) -> SpikeOutput:
    """Allocates memory for float spikes [steps, batch, neurons]."""
    return SpikeOutput(_NO_BITMASKS, allocate(shape, np.float32).reshape(-1))


def forward_by_events(
    events: Events,
    weight_OI: np.ndarray,
    bits: int,
    neurons: NeuronParameters,
    out: SpikeOutput,
    voltages: Voltages,
) -> torch.Tensor:
    """Fills ``out`` and ``voltages``, computed from events and quantised weights.

    Returns ``notes`` [4], the layer's statistics (see ``kernels.operators``).
    """
    shape = events.steps, events.batch, len(weight_OI)
    vector_notes = _new_notes(shape)
    weight_VIN, max_adds = integer_vectors(weight_OI, bits), max_adds_in_int16(bits)
    _forward_by_events(events, weight_VIN, max_adds, neurons, out, voltages, vector_notes)
    return _notes(vector_notes, EVENTS)


def forward_from_current(
    z_TBN: np.ndarray, neurons: NeuronParameters, out: SpikeOutput, voltages: Voltages
) -> torch.Tensor:
    """Fills ``out`` and ``voltages``, computed from the synaptic input in threshold units.

    Returns ``notes`` [4], the layer's statistics (see ``kernels.operators``).
    """
    vector_notes = _new_notes(z_TBN.shape)
    _forward_from_current(z_TBN, neurons, out, voltages, vector_notes)
    return _notes(vector_notes, PRODUCT)


def current_by_events(events: Events, weight_OI: np.ndarray) -> np.ndarray:
    """Returns the sums of real weights over events, float32 [steps, batch, outputs]."""
    z_TBN = allocate((events.steps, events.batch, len(weight_OI)), np.float32)
    _gather_all(events, real_vectors(weight_OI), z_TBN)
    return z_TBN


def _new_notes(shape: Shape) -> np.ndarray:
    return allocate((packed_items(shape), NOTES_PER_VECTOR), np.int32)


def _notes(vector_notes: np.ndarray, path: int) -> torch.Tensor:
    """Returns ``notes`` [4] of a layer (see ``kernels.operators``).

    ``vector_notes`` holds the statistics that ``forward_loop_of`` wrote for each vector.
    """
    notes = np.empty(4, np.int64)
    _sum_up(vector_notes, path, notes)
    # Creating so small a tensor through numpy takes a tenth of torch's time.
    return torch.from_numpy(notes)


@numba.njit(inline="always")
def _input_by_events(source, t):
    events, sample, weight_IN, count, max_adds = source
    return gather_integer(events, t * events.batch + sample, weight_IN, count, max_adds)


@numba.njit(inline="always")
def _input_from_current(source, t):
    return to_state(load(source.numbers, source.start + t * source.stride, source.size))


@numba.njit(inline="always")
def _emit_spikes(sink, t, spiked):
    """Writes the output of a vector in step ``t``, as a bitmask or as floats."""
    out, item_start, values = sink
    if len(out.bitmasks):
        out.bitmasks[item_start + t] = to_bitmask(spiked)
    else:
        spikes = where(spiked, broadcast(np.float32(1)), broadcast(np.float32(0)))
        store(values.numbers, values.start + t * values.stride, spikes, values.size)


_loop_by_events = forward_loop_of(_input_by_events, _emit_spikes, can_repeat=True)
_loop_from_current = forward_loop_of(_input_from_current, _emit_spikes, can_repeat=False)


@kernel
def _forward_by_events(events, weight_VIN, max_adds, neurons, out, voltages, vector_notes):
    steps, batch, size = events.steps, events.batch, len(neurons.keep_u)
    vectors, flat = len(weight_VIN), vector_notes.reshape(-1)
    for item in numba.prange(batch * vectors):
        sample, vector = item // vectors, item % vectors
        first = vector * LANES
        count = min(LANES, size - first)
        values = sample_of(out.values, batch, size, sample, first, count)
        voltage = voltage_of(voltages, sample, vector, count)
        _loop_by_events(
            (events, sample, weight_VIN[vector], count, max_adds), (out, item * steps, values),
            neurons, Span(first, count, steps), voltage, flat, item * NOTES_PER_VECTOR,
        )  # fmt: skip


@kernel
def _forward_from_current(z_TBN, neurons, out, voltages, vector_notes):
    steps, batch, size = z_TBN.shape
    vectors, z, flat = (size + LANES - 1) // LANES, z_TBN.reshape(-1), vector_notes.reshape(-1)
    for item in numba.prange(batch * vectors):
        sample, vector = item // vectors, item % vectors
        first = vector * LANES
        count = min(LANES, size - first)
        values = sample_of(out.values, batch, size, sample, first, count)
        voltage = voltage_of(voltages, sample, vector, count)
        _loop_from_current(
            sample_of(z, batch, size, sample, first, count), (out, item * steps, values),
            neurons, Span(first, count, steps), voltage, flat, item * NOTES_PER_VECTOR,
        )  # fmt: skip


@kernel
def leaky_forward(z_TBN, keep, u_TBN):
    """Computes the current without the voltage, in threshold units.

    In state units, the current is ``u[t] = rtz(keep · u[t−1] / 4096) + trunc(4096 · z[t])``, where
    rtz rounds toward zero.
    """
    steps, batch, size = z_TBN.shape
    vectors, z, u_all = (size + LANES - 1) // LANES, z_TBN.reshape(-1), u_TBN.reshape(-1)
    for item in numba.prange(batch * vectors):
        sample, first = item // vectors, item % vectors * LANES
        count = min(LANES, size - first)
        share, u = load(keep, first, count), broadcast(np.int32(0))
        for t in range(steps):
            at = (t * batch + sample) * size + first
            u = saturate(decay_state(u, share) + to_state(load(z, at, count)))
            store(u_all, at, from_state(u), count)


@kernel
def _gather_all(events, weight_VIN, z_TBN):
    steps, batch, size = z_TBN.shape
    vectors, z = len(weight_VIN), z_TBN.reshape(-1)
    for item in numba.prange(batch * vectors):
        sample, vector = item // vectors, item % vectors
        first = vector * LANES
        count = min(LANES, size - first)
        for t in range(steps):
            row = t * batch + sample
            current = gather_real(events, row, weight_VIN[vector], count)
            store(z, row * size + first, current, count)


@kernel(parallel=False)
def _sum_up(vector_notes, path, notes):
    notes[:] = 0
    for item in range(len(vector_notes)):
        for lane in range(LANES):
            notes[0] = max(notes[0], vector_notes[item, lane])
            notes[1] = max(notes[1], vector_notes[item, LANES + lane])
            notes[3] += vector_notes[item, 2 * LANES + lane]
    notes[2] = path
