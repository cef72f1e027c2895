"""The van Rossum distance: a truncated exponential filter, run forward and backward in time.

``van_rossum_coefficients`` explains how recurrences compute the filter. Arrays are flat and
time-first, [steps, columns]; a column is one neuron of one sample. A thread filters one vector of
neighbouring columns over all steps, then the next vector. The recurrences' states have the type of
``decay`` and ``tail``, float32 or float64.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numba
import numpy as np
import torch

from netdesc.kernels import van_rossum_coefficients
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.memory_pool import allocate, flat, scalar
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast, cast_like, zeros_like
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store
from netdesc.kernels.cpu.runtime.state_arithmetic import flush_denormals
from netdesc.kernels.cpu.runtime.threads import on_threads, set_thread_count
from netdesc.kernels.reference import van_rossum as reference

_STEPS_PER_SUM = 32
"""Number of steps whose squares are added in the type of the states.

The sums of these steps are then added in 64 bits.
"""


class Filter(NamedTuple):
    """A van Rossum filter: ``order`` chained recurrences with the factor ``decay``.

    The filter is cut after ``length`` steps by subtracting a tail.
    """

    decay: np.floating
    order: int
    length: int
    tail: np.ndarray
    """Coefficient of each delayed recurrence, [order]; empty if there is no tail."""


@functools.lru_cache(maxsize=64)
def make_filter(decay: float, order: int, length: int, steps: int) -> Filter | None:
    """Returns the filter for signals of ``steps`` steps, or None if recurrences are too inexact."""
    if van_rossum_coefficients.convolved(decay, order, length, steps) is not None:
        return None
    a, tail = van_rossum_coefficients.recurrence(decay, order, length)
    is_cut = length < steps and tail.any()
    return Filter(a, order, length, tail if is_cut else tail[:0])


@numba.njit(inline="always")
def _chain(x, decay, states, first, last):
    """Computes a step of the recurrences ``y₁ = a·y₁ + x``, ``y_k = a·y_k + y_(k−1)``.

    ``states[first:last]`` holds the vectors y₁, y₂…. Returns the last of them.
    """
    for at in range(first, last, LANES):
        x = flush_denormals(broadcast(decay) * load(states, at, LANES) + x)
        store(states, at, x, LANES)
    return x


@numba.njit(inline="always")
def filter_step(x, delayed_x, decay, tail, states):
    """Computes one step of the filter, forward or backward in time.

    ``x`` is the signal of the step, ``delayed_x`` the signal ``length`` steps before (0 if that
    step does not exist). ``states`` [order · LANES, or 2 · order · LANES with a tail] are zeros
    before the first step. The result has the type of the states.
    """
    cut = len(states) - len(tail) * LANES
    f = _chain(cast_like(x, broadcast(decay)), decay, states, 0, cut)
    if len(tail) > 0:
        _chain(cast_like(delayed_x, f), decay, states, cut, len(states))
        for k in range(len(tail)):
            f = f - broadcast(tail[k]) * load(states, cut + k * LANES, LANES)
    return f


@numba.njit(inline="always")
def gradient_step(f, delayed_f, scale, decay, tail, states):
    """Computes the gradient of one step's output. Steps must be computed from last to first.

    ``f`` is the filtered difference of the step, ``delayed_f`` the difference ``length`` steps
    later (0 if that step does not exist). ``scale`` is two times the gradient of the loss.
    """
    return cast_like(filter_step(f, delayed_f, decay, tail, states), f) * broadcast(
        np.float32(scale)
    )


@kernel
def filter_difference(output, target, steps, filter, filtered, squares):
    """Fills ``filtered`` with ``f = h ∗ (output − target)``, and ``squares`` with ``Σ f²``.

    ``squares`` is float64 [columns].
    """
    decay, order, length, tail = filter
    columns = len(squares)
    for item in numba.prange((columns + LANES - 1) // LANES):
        lo = item * LANES
        n = min(LANES, columns - lo)
        states = np.zeros((order + len(tail)) * LANES, tail.dtype)
        total = broadcast(np.float64(0))
        for first in range(0, steps, _STEPS_PER_SUM):
            partial = zeros_like(broadcast(decay))
            for t in range(first, min(steps, first + _STEPS_PER_SUM)):
                at = t * columns + lo
                prefetch(output, at + PREFETCH_STEPS * columns)
                prefetch(target, at + PREFETCH_STEPS * columns)
                x = load(output, at, n) - load(target, at, n)
                delayed_x = zeros_like(x)
                if len(tail) > 0 and t >= length:
                    past = at - length * columns
                    delayed_x = load(output, past, n) - load(target, past, n)
                f = filter_step(x, delayed_x, decay, tail, states)
                store(filtered, at, cast_like(f, x), n)
                partial = partial + f * f
            total = total + cast_like(partial, total)
        store(squares, lo, total, n)


@kernel
def filter_adjoint(filtered, scale, steps, filter, grad):
    """Fills ``grad`` with the gradient of the output; ``scale`` is as in ``gradient_step``."""
    decay, order, length, tail = filter
    columns = len(filtered) // steps
    for item in numba.prange((columns + LANES - 1) // LANES):
        lo = item * LANES
        n = min(LANES, columns - lo)
        states = np.zeros((order + len(tail)) * LANES, tail.dtype)
        for t in range(steps - 1, -1, -1):
            at = t * columns + lo
            prefetch(filtered, at - PREFETCH_STEPS * columns)
            f = load(filtered, at, n)
            delayed_f = zeros_like(f)
            if len(tail) > 0 and t + length < steps:
                delayed_f = load(filtered, at + length * columns, n)
            store(grad, at, gradient_step(f, delayed_f, scale, decay, tail, states), n)


@on_threads
def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    filter = make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time(output_TBN, target_TBN, decay, order, length)
    set_thread_count()
    filtered = allocate((steps, batch, neurons), np.float32)
    squares = np.empty(batch * neurons)
    filter_difference(
        flat(output_TBN), flat(target_TBN), steps, filter, filtered.reshape(-1), squares
    )
    return scalar(squares.sum()), torch.from_numpy(filtered)


@on_threads
def spike_time_backward(
    filtered_TBN: torch.Tensor, grad_loss: torch.Tensor, decay: float, order: int, length: int
) -> torch.Tensor:
    """See ``reference.van_rossum.spike_time_backward``."""
    steps, batch, neurons = filtered_TBN.shape
    filter = make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time_backward(filtered_TBN, grad_loss, decay, order, length)
    set_thread_count()
    grad = allocate((steps, batch, neurons), np.float32)
    scale = 2.0 * float(grad_loss)
    filter_adjoint(flat(filtered_TBN), scale, steps, filter, grad.reshape(-1))
    return torch.from_numpy(grad)
