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
from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate, flat, scalar
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast, cast_like, zeros_like
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store
from netdesc.kernels.cpu.runtime.threads import on_threads, set_thread_count
from netdesc.kernels.cpu.walk.tiles import MAX_TILE
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
        x = broadcast(decay) * load(states, at, LANES) + x
        store(states, at, x, LANES)
    return x


@numba.njit(inline="always")
def _filter_step(x, delayed_x, filter, states, first):
    """Computes one step of the filter, forward or backward in time.

    ``x`` is the signal of the step, ``delayed_x`` the signal ``length`` steps before (0 if that
    step does not exist). ``states[first:]`` are the vector's recurrences, then those of its tail,
    which are zeros before the first step. The result has the type of the states.
    """
    decay, order, _, tail = filter
    cut = first + order * LANES
    f = _chain(cast_like(x, broadcast(decay)), decay, states, first, cut)
    if len(tail) > 0:
        _chain(cast_like(delayed_x, f), decay, states, cut, cut + order * LANES)
        for k in range(order):
            f = f - broadcast(tail[k]) * load(states, cut + k * LANES, LANES)
    return f


@numba.njit(inline="always")
def _slots(filter):
    """Returns how many numbers the states of a vector are."""
    return (filter.order + len(filter.tail)) * LANES


class _Scratch(NamedTuple):
    """Scratch memory for a tile of columns; each thread has a row of every array."""

    states: np.ndarray
    """The states of each vector."""
    sums: np.ndarray
    """Sums of squares of some steps."""
    totals: np.ndarray
    """Sums of squares of all steps, float64."""

    @classmethod
    def allocate(cls, filter: Filter, columns: int) -> _Scratch:
        """Returns memory for a tile of columns; all threads have about as many tiles."""
        threads, kind = set_thread_count(), filter.tail.dtype
        vectors = -(-columns // LANES)
        tile = LANES * max(1, min(MAX_TILE, -(-vectors // threads)))
        slots = tile // LANES * _slots.py_func(filter)
        return cls(
            np.empty((threads, slots), kind), np.empty((threads, tile), kind),
            np.empty((threads, tile)),
        )  # fmt: skip


@kernel
def filter_difference(output, target, filter, scratch, filtered, squares, threads, thread):
    """Fills ``filtered`` with ``f = h ∗ (output − target)``, and ``squares`` with ``Σ f²``.

    ``squares`` is float64 [columns].
    """
    states, partial, totals = scratch.states[thread], scratch.sums[thread], scratch.totals[thread]
    columns, past, tile = len(squares), filter.length * len(squares), len(totals)
    steps = len(output) // columns
    for item in share_of((columns + tile - 1) // tile, threads, thread):
        lo = item * tile
        hi = min(columns, lo + tile)
        states[:], partial[:], totals[:] = 0, 0, 0
        for t in range(steps):
            is_end = t % _STEPS_PER_SUM == _STEPS_PER_SUM - 1 or t == steps - 1
            for left in range(lo, hi, LANES):
                at, place, n = t * columns + left, left - lo, min(LANES, hi - left)
                prefetch(output, at + PREFETCH_STEPS * columns)
                prefetch(target, at + PREFETCH_STEPS * columns)
                x = load(output, at, n) - load(target, at, n)
                delayed_x = zeros_like(x)
                if len(filter.tail) > 0 and t >= filter.length:
                    delayed_x = load(output, at - past, n) - load(target, at - past, n)
                f = _filter_step(x, delayed_x, filter, states, place // LANES * _slots(filter))
                store(filtered, at, cast_like(f, x), n)
                total = load(partial, place, LANES) + f * f
                if is_end:
                    whole = load(totals, place, LANES)
                    store(totals, place, whole + cast_like(total, whole), LANES)
                    total = zeros_like(total)
                store(partial, place, total, LANES)
        for column in range(lo, hi):
            squares[column] = totals[column - lo]


@kernel
def filter_adjoint(filtered, scale, steps, filter, scratch, grad, threads, thread):
    """Fills ``grad`` with the gradient of the output; ``scale`` is 2 times that of the loss."""
    states, tile, columns = scratch.states[thread], scratch.totals.shape[1], len(filtered) // steps
    ahead = filter.length * columns
    for item in share_of((columns + tile - 1) // tile, threads, thread):
        lo = item * tile
        hi = min(columns, lo + tile)
        states[:] = 0
        for t in range(steps - 1, -1, -1):
            for left in range(lo, hi, LANES):
                at, n = t * columns + left, min(LANES, hi - left)
                prefetch(filtered, at - PREFETCH_STEPS * columns)
                f = load(filtered, at, n)
                delayed_f = zeros_like(f)
                if len(filter.tail) > 0 and t + filter.length < steps:
                    delayed_f = load(filtered, at + ahead, n)
                g = _filter_step(
                    f, delayed_f, filter, states, (left - lo) // LANES * _slots(filter)
                )
                store(grad, at, cast_like(g, f) * broadcast(np.float32(scale)), n)


@on_threads
def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    filter = make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time(output_TBN, target_TBN, decay, order, length)
    filtered = allocate((steps, batch, neurons), np.float32)
    squares = np.empty(batch * neurons)
    scratch, filtered_all = _Scratch.allocate(filter, len(squares)), filtered.reshape(-1)
    filter_difference(flat(output_TBN), flat(target_TBN), filter, scratch, filtered_all, squares)
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
    grad = allocate((steps, batch, neurons), np.float32)
    scale, scratch = 2.0 * float(grad_loss), _Scratch.allocate(filter, batch * neurons)
    filter_adjoint(flat(filtered_TBN), scale, steps, filter, scratch, grad.reshape(-1))
    return torch.from_numpy(grad)
