"""Layouts of the voltages that a forward pass saves for the backward pass."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.layout import Strided
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.spikes.packed_spikes import Shape, packed_items


class Voltages(NamedTuple):
    """Memory for the voltages of a layer before the reset.

    Vector k of sample b at step t begins at index ``b · by_sample + k · by_vector + t · by_step``.
    """

    voltage: np.ndarray
    """The memory, int32, flat."""
    by_sample: int
    by_vector: int
    by_step: int
    """Distance of steps; 0 if no backward pass follows, so that a step overwrites the previous."""
    is_padded: bool
    """Whether the last vector of a sample has room for all its lanes."""


def vector_first(voltage: np.ndarray, shape: Shape) -> Voltages:
    """Returns ``Voltages`` in the memory ``voltage``, laid out as [batch, vectors, steps, LANES].

    In this layout, each thread's memory is contiguous.
    """
    steps, _, neurons = shape
    by_vector = steps * LANES
    return Voltages(voltage, -(-neurons // LANES) * by_vector, by_vector, LANES, True)


def time_first(voltage: np.ndarray, shape: Shape) -> Voltages:
    """Returns ``Voltages`` in the memory ``voltage``, laid out as [steps, batch, neurons]."""
    _, batch, neurons = shape
    return Voltages(voltage, neurons, LANES, batch * neurons, False)


def new_voltages(shape: Shape, keep: bool) -> Voltages:
    """Allocates memory for the voltages of all steps if ``keep``, otherwise of one step."""
    steps, size = shape[0], packed_items(shape) * LANES
    if keep:
        return vector_first(allocate((steps * size,), np.int32), shape)
    by_sample = -(-shape[2] // LANES) * LANES
    return Voltages(allocate((size,), np.int32), by_sample, LANES, 0, True)


@numba.njit(inline="always")
def voltage_of(voltages, sample, vector, count):
    """Returns the ``Strided`` of the voltages of a vector of ``count`` neurons."""
    start = sample * voltages.by_sample + vector * voltages.by_vector
    size = LANES if voltages.is_padded else count
    return Strided(voltages.voltage, start, voltages.by_step, size)
