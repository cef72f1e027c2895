"""Quantises weights, lays them out for the kernels, and stops gradients of clamped weights."""

import functools
from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES, as_ints, broadcast, nearest, where
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.threads import current_call
from netdesc.kernels.fixed_point import DEVICE_BITS, STATE_LIMIT, WEIGHT_UNIT
from netdesc.kernels.grid import half_limits

_MAX_INT16 = 32_767

_INPUTS_PER_ITEM = 256
"""Number of inputs in a work item: a thread quantises their weights to one vector of neurons."""

_PER_ITEM = 1024
"""Number of weights in a work item where one weight is computed like any other."""

_INPUTS_PER_TRANSPOSE = 16
"""Number of inputs whose sums are transposed together.

An output's gradients with respect to so many weights fill a cache line.
"""

Limits = tuple[np.float32, np.float32]
"""Smallest and largest ``round(32 · w)`` of weights w; infinite if weights are not quantised."""

_LOW, _HIGH = half_limits(DEVICE_BITS)
HALF_LIMITS: Limits = np.float32(_LOW), np.float32(_HIGH)
"""Of weights of ``DEVICE_BITS`` bits."""
NO_LIMITS: Limits = np.float32(-np.inf), np.float32(np.inf)


class WeightMemory(NamedTuple):
    """Real weights w [outputs, inputs], limits of ``round(32 · w)``, and the weights' gradient."""

    weight_OI: np.ndarray
    low: np.float32
    high: np.float32
    grad_OI: np.ndarray


class IntegerSums(NamedTuple):
    """How sums of integer weights become states."""

    max_adds: int
    """Number of weights whose sum always fits in 16 bits."""
    unit: np.int32
    """Number of state units of an integer weight."""
    limit: int
    """Largest sum that a state can hold."""


@functools.cache
def integer_sums(unit_bits: int) -> IntegerSums:
    """Returns how weights are added; a state unit is ``2^-unit_bits``."""
    unit = (1 << unit_bits) // WEIGHT_UNIT
    return IntegerSums(max(1, _MAX_INT16 // (-2 * _LOW)), np.int32(unit), STATE_LIMIT // unit)


def integer_vectors(weight_OI: np.ndarray) -> np.ndarray:
    """Returns integer weights ``2 · clamp(round(32 · w))``, int16 [vectors, inputs · count].

    A row holds the weights of one vector of outputs; a time loop reads only one row. An input's
    weights to the vector's ``count`` outputs are contiguous. If the last vector has fewer outputs,
    the end of its row is undefined.
    """
    outputs, inputs = weight_OI.shape
    weight_VIN = allocate((-(-outputs // LANES), inputs * LANES), np.int16)
    # Threads write to different cache lines.
    scratch = np.empty((current_call.threads, 2 * LANES), np.int32)
    _quantize_all(weight_OI, *HALF_LIMITS, weight_VIN, scratch)
    return weight_VIN


def real_vectors(weight_OI: np.ndarray) -> np.ndarray:
    """Returns real weights, float32, in the layout of ``integer_vectors``."""
    outputs, inputs = weight_OI.shape
    weight_VIN = allocate((-(-outputs // LANES), inputs * LANES), np.float32)
    for vector, weight_IN in enumerate(weight_VIN):
        part_OI = weight_OI[vector * LANES : (vector + 1) * LANES]
        weight_IN[: part_OI.size].reshape(inputs, -1)[:] = part_OI.T
    return weight_VIN


def on_grid(weight_OI: np.ndarray) -> np.ndarray:
    """Returns quantised weights in threshold units, float32 (see ``grid.quantize``)."""
    grid_OI = allocate(weight_OI.shape, np.float32)
    _round_all(weight_OI.reshape(-1), *HALF_LIMITS, grid_OI.reshape(-1))
    return grid_OI


def stop_at_clamped(grad_OI: np.ndarray, weight_OI: np.ndarray) -> None:
    """Applies ``grid.straight_through`` to ``grad_OI`` in place."""
    _stop_at_clamped(grad_OI.reshape(-1), weight_OI.reshape(-1), *HALF_LIMITS)


@jit_no_refcount
def _stop_in(grad, weight, low, high, first, last):
    """Sets ``grad[first:last]`` to 0 where the forward pass clamps the weight, or it is NaN."""
    for at in range(first, last, LANES):
        count = min(LANES, last - at)
        halves = nearest(load(weight, at, count) * broadcast(np.float32(WEIGHT_UNIT / 2)))
        is_inside = (halves >= broadcast(low)) & (halves <= broadcast(high))
        store(grad, at, where(is_inside, load(grad, at, count), broadcast(np.float32(0))), count)


@numba.njit(inline="always")
def _halves(weights, low, high):
    """Returns ``round(32 · weight)``, ties to even, clamped to the limits. NaN becomes 0."""
    scaled = weights * broadcast(np.float32(WEIGHT_UNIT / 2))
    scaled = where(scaled == scaled, scaled, broadcast(np.float32(0)))
    scaled = where(scaled > broadcast(high), broadcast(high), scaled)
    return nearest(where(scaled < broadcast(low), broadcast(low), scaled))


@kernel
def _stop_at_clamped(grad, weight, low, high, threads, thread):
    for item in share_of((len(weight) + _PER_ITEM - 1) // _PER_ITEM, threads, thread):
        first = item * _PER_ITEM
        _stop_in(grad, weight, low, high, first, min(len(weight), first + _PER_ITEM))


@kernel
def _round_all(weight, low, high, grid, threads, thread):
    for item in share_of((len(weight) + LANES - 1) // LANES, threads, thread):
        at = item * LANES
        count = min(LANES, len(weight) - at)
        halves = _halves(load(weight, at, count), low, high)
        store(grid, at, halves * broadcast(np.float32(2 / WEIGHT_UNIT)), count)


@kernel
def _quantize_all(weight_OI, low, high, weight_VIN, scratch, threads, thread):
    outputs, inputs = weight_OI.shape
    parts = (inputs + _INPUTS_PER_ITEM - 1) // _INPUTS_PER_ITEM
    for item in share_of(len(weight_VIN) * parts, threads, thread):
        vector, first = item // parts, item % parts * _INPUTS_PER_ITEM
        lo, weight_IN, halves = vector * LANES, weight_VIN[vector], scratch[thread]
        count = min(LANES, outputs - lo)
        for i in range(count):
            weight = weight_OI[lo + i]
            for start in range(first, min(inputs, first + _INPUTS_PER_ITEM), LANES):
                n = min(LANES, inputs - start)
                output_halves = _halves(load(weight, start, n), low, high)
                store(halves, 0, as_ints(output_halves + output_halves), LANES)
                for j in range(n):
                    weight_IN[np.uint64((start + j) * count + i)] = np.int16(halves[j])


@jit_no_refcount
def write_gradient(sums, weight_OI, low, high, first, grad_OI):
    """Writes a vector's ``sums``, flat [inputs · LANES], transposed to ``grad_OI``.

    The vector's first output is ``first``. Weights that the forward pass clamps get gradient 0.
    """
    outputs, inputs = weight_OI.shape
    count, numbers = min(LANES, outputs - first), grad_OI.reshape(-1)
    for start in range(0, inputs, _INPUTS_PER_TRANSPOSE):
        for i in range(count):
            to = (first + i) * inputs
            for j in range(start, min(inputs, start + _INPUTS_PER_TRANSPOSE)):
                numbers[np.uint64(to + j)] = sums[np.uint64(j * LANES + i)]
    begin = first * inputs
    _stop_in(numbers, weight_OI.reshape(-1), low, high, begin, begin + count * inputs)
