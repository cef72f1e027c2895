"""The van Rossum distance and its gradient, by a truncated exponential filter.

``van_rossum_coefficients`` explains how recurrences compute the filter. Arrays are flat and
time-first, [steps, columns]; a column is one neuron of one sample. A thread takes a tile of
neighbouring columns at a time. It filters the tile forward in time, then backward. The filtered
difference f of a tile takes up to 4 kB a step; if the steps are few enough, f is still in the
core's cache. The recurrences' states have the type of ``decay`` and ``tail``, float32 or float64.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
import torch

from netdesc.kernels import van_rossum_coefficients
from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import (
    allocate,
    allocate_per_thread,
    allocate_scratch,
    array_of,
)
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast, cast_like, zeros_like
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store
from netdesc.kernels.cpu.runtime.threads import current_call, on_threads
from netdesc.kernels.cpu.runtime.tiles import MAX_TILE
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
    if van_rossum_coefficients.are_inexact(decay, order, length, steps):
        return None
    a, tail = van_rossum_coefficients.recurrence(decay, order, length)
    is_cut = length < steps and tail.any()
    return Filter(a, order, length, tail if is_cut else tail[:0])


@numba.njit(inline="always")
def _chain(x, decay, states, first, last):
    """Computes a step of ``y₁ = a·y₁ + x``, ``y_k = a·y_k + y_(k−1)``; returns the last."""
    for at in range(first, last, LANES):
        x = broadcast(decay) * load(states, at, LANES) + x
        store(states, at, x, LANES)
    return x


@numba.njit(inline="always")
def _filter_step(x, delayed_x, filter, states, first):
    """Computes one step of the filter, forward or backward in time.

    ``x`` is the signal of the step, ``delayed_x`` the signal ``length`` steps before (0 if that
    step does not exist). ``states[first:]`` are the vector's recurrences, then those of its tail,
    which are zeros before the first step. Signals and result have the type of the states.
    """
    decay, order, _, tail = filter
    cut = first + order * LANES
    f = _chain(x, decay, states, first, cut)
    if len(tail) > 0:
        _chain(delayed_x, decay, states, cut, cut + order * LANES)
        for k in range(order):
            f = f - broadcast(tail[k]) * load(states, cut + k * LANES, LANES)
    return f


@numba.njit(inline="always")
def _difference(output, target, at, n, filter):
    """Returns ``output − target`` of a vector, in the type of the states, which add it up."""
    like = broadcast(filter.decay)
    return cast_like(load(output, at, n), like) - cast_like(load(target, at, n), like)


@numba.njit(inline="always")
def _slots(filter):
    return (filter.order + len(filter.tail)) * LANES


class _Scratch(NamedTuple):
    """Scratch memory for a tile of columns; each thread has a row of every array."""

    f: np.ndarray
    """The filtered difference, flat [steps, columns of the largest tile]."""
    states: np.ndarray
    """The states of each vector."""
    sums: np.ndarray
    """Sums of squares of some steps."""
    totals: np.ndarray
    """Sums of squares of all steps, float64."""

    @classmethod
    def for_tiles(cls, filter: Filter, steps: int, columns: int) -> "_Scratch":
        """Returns memory for tiles of up to ``MAX_TILE`` vectors, so that each thread has one."""
        threads, kind = current_call.threads, filter.tail.dtype.type
        vectors = -(-columns // LANES)
        tile_columns = LANES * max(1, min(MAX_TILE, -(-vectors // threads)))
        slots = tile_columns * (filter.order + len(filter.tail))
        sizes = steps * min(tile_columns, columns), slots, tile_columns
        totals = allocate_per_thread(threads, tile_columns, np.float64)
        f, states, sums = allocate_scratch(threads, sizes, kind)
        return cls(f, states, sums, totals)


class _Tile(NamedTuple):
    first: int
    last: int
    columns: int
    """Number of columns of the signals."""
    steps: int
    f_columns: int
    """Number of columns in a row of ``_Scratch.f``."""


@jit_no_refcount
def _filter_difference(output, target, filter, tile, memory):
    """Writes f of a tile (see ``compute_distance``), and the sums of f² over the steps.

    ``memory`` is a thread's ``_Scratch``: f is written to ``f``, the sums to ``totals``. Before,
    ``states``, ``sums`` and ``totals`` must be zeros.
    """
    columns = tile.columns
    past = filter.length * columns
    for t in range(tile.steps):
        is_end = t % _STEPS_PER_SUM == _STEPS_PER_SUM - 1 or t == tile.steps - 1
        for left in range(tile.first, tile.last, LANES):
            at, place, n = t * columns + left, left - tile.first, min(LANES, tile.last - left)
            prefetch(output, at + PREFETCH_STEPS * columns)
            prefetch(target, at + PREFETCH_STEPS * columns)
            x = _difference(output, target, at, n, filter)
            delayed_x = zeros_like(x)
            if len(filter.tail) > 0 and t >= filter.length:
                delayed_x = _difference(output, target, at - past, n, filter)
            f = _filter_step(x, delayed_x, filter, memory.states, place // LANES * _slots(filter))
            store(memory.f, t * tile.f_columns + place, f, n)
            total = load(memory.sums, place, LANES) + f * f
            if is_end:
                whole = load(memory.totals, place, LANES)
                store(memory.totals, place, whole + cast_like(total, whole), LANES)
                total = zeros_like(total)
            store(memory.sums, place, total, LANES)


@jit_no_refcount
def _filter_adjoint(filter, tile, memory, grad):
    """Filters 2f of ``memory``, whose states are 0, backward into the tile of ``grad``."""
    two = broadcast(np.float32(2))
    for t in range(tile.steps - 1, -1, -1):
        for left in range(tile.first, tile.last, LANES):
            place, n = left - tile.first, min(LANES, tile.last - left)
            f = load(memory.f, t * tile.f_columns + place, n)
            delayed_f = zeros_like(f)
            if len(filter.tail) > 0 and t + filter.length < tile.steps:
                delayed_f = load(memory.f, (t + filter.length) * tile.f_columns + place, n)
            g = _filter_step(f, delayed_f, filter, memory.states, place // LANES * _slots(filter))
            store(grad, t * tile.columns + left, cast_like(g, two) * two, n)


@kernel
def compute_distance(output, target, filter, scratch, grad, squares, threads, thread):
    """Computes the distance of each column, and its gradient, with ``f = h ∗ (output − target)``.

    ``output``, ``target`` and ``grad`` are flat [steps, columns]. Writes the sum of f² over the
    steps to ``squares``, float64 [columns]. Writes the gradient of ``Σ f²`` with respect to the
    output to ``grad``, unless ``grad`` is empty.
    """
    memory = _Scratch(
        scratch.f[thread], scratch.states[thread], scratch.sums[thread], scratch.totals[thread]
    )
    columns, width = len(squares), len(memory.totals)
    steps, f_columns = len(output) // columns, min(width, columns)
    for index in share_of((columns + width - 1) // width, threads, thread):
        first = index * width
        tile = _Tile(first, min(columns, first + width), columns, steps, f_columns)
        memory.states[:], memory.sums[:], memory.totals[:] = 0, 0, 0
        _filter_difference(output, target, filter, tile, memory)
        for column in range(tile.first, tile.last):
            squares[column] = memory.totals[column - tile.first]
        if len(grad) > 0:
            memory.states[:] = 0
            _filter_adjoint(filter, tile, memory, grad)


@on_threads
def spike_time(
    output_TBN: torch.Tensor,
    target_TBN: torch.Tensor,
    decay: float,
    order: int,
    length: int,
    keep: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    filter = make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time(output_TBN, target_TBN, decay, order, length, keep)
    grad_TBN = allocate((steps, batch, neurons) if keep else (0,), np.float32)
    output, target = array_of(output_TBN).reshape(-1), array_of(target_TBN).reshape(-1)
    squares, grad = np.empty(batch * neurons), grad_TBN.reshape(-1)
    scratch = _Scratch.for_tiles(filter, steps, len(squares))
    compute_distance(output, target, filter, scratch, grad, squares)
    # Creating so small a tensor through numpy takes a tenth of torch's time.
    total = torch.from_numpy(np.array(np.add.reduce(squares)))
    return total.float(), torch.from_numpy(grad_TBN)
