"""The backward pass of one layer of neurons, and of its input weights.

This file is compiled once for each neuron: ``generated`` writes a copy of it in which the imports
from ``neuron_step`` are the functions of the neuron.

As in ``forward_kernels``, a thread takes a tile of vectors through a run of steps, from the last
step to the first.

The loops use fast floating-point arithmetic, because they compute only gradients, not states. Each
vector's loop adds in a fixed order, so that no result depends on the number of threads. NaN and
infinities propagate, so that training notices them.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel
from netdesc.kernels.cpu.runtime.layout import Strided
from netdesc.kernels.cpu.runtime.parallel_call import on_threads_of
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store
from netdesc.kernels.cpu.runtime.simd_tuple import load_tuple, store_each, store_tuple
from netdesc.kernels.cpu.runtime.work_queue import item_at, next_position
from netdesc.kernels.cpu.walk.neuron_step import CARRIES, STORED, SUMS, adjoint, constants_of
from netdesc.kernels.cpu.walk.tiles import Run, place_of

SLOTS = 1 + CARRIES + SUMS
"""Number of vectors kept between runs: the gradient of the step after, carries, and sums."""


class Deposit(NamedTuple):
    """Where the gradients of a vector's inputs are written: one array for each input.

    The gradient of step t begins at ``start + t · stride``.
    """

    arrays: tuple[np.ndarray, ...]
    start: int
    stride: int
    size: int


@jit_no_refcount
def _walk(constants, upstream, stored, deposit, run, delay, memory, at):
    """Walks a vector of neurons back through a run of steps, from and to ``memory[at:]``.

    ``upstream`` is the gradient of the output, ``stored`` what the forward pass has stored, both
    ``Strided``.
    """
    after = load(memory, at, LANES)
    carries = load_tuple(memory, at + LANES, CARRIES)
    sums = load_tuple(memory, at + (1 + CARRIES) * LANES, SUMS)
    now = load_tuple(stored.numbers, stored.start + (run.last - 1) * stored.stride, STORED)
    for t in range(run.last - 1, run.first - 1, -1):
        before = load_tuple(stored.numbers, stored.start + max(t - 1, 0) * stored.stride, STORED)
        place = upstream.start + t * upstream.stride
        prefetch(upstream.numbers, place - PREFETCH_STEPS * upstream.stride)
        gradient = load(upstream.numbers, place, upstream.size)
        used = after if delay else gradient
        after = gradient
        grads, carries, sums = adjoint(constants, now, before, t == 0, used, carries, sums)
        store_each(deposit.arrays, deposit.start + t * deposit.stride, grads, deposit.size)
        now = before
    store(memory, at, after, LANES)
    store_tuple(memory, at + LANES, carries)
    store_tuple(memory, at + (1 + CARRIES) * LANES, sums)


@numba.njit(inline="always")
def _stored_of(activity, shape, place):
    """Returns the ``Strided`` of what the forward pass has stored of a vector."""
    stride = STORED * LANES
    start = (place.sample * shape.vectors + place.vector) * shape.steps * stride
    return Strided(activity.stored, start, stride, LANES)


@jit_no_refcount
def _write_sums(activity, shape, place, at):
    """Copies the gradients of parameters to ``grad_parameters`` [SUMS, batch, neurons]."""
    for number in range(SUMS):
        total = load(activity.scratch, at + (1 + CARRIES + number) * LANES, LANES)
        row = (number * shape.batch + place.sample) * shape.neurons + place.first
        store(activity.grad_parameters, row, total, place.size)


@jit_no_refcount
def _walk_tiles(upstream, stride, parameters, activity, grad_inputs, shape, queue, thread):
    """Takes tiles from the queue, and walks each back through all steps, until it is empty."""
    begin = thread * shape.tile * SLOTS * LANES
    tiles = (shape.vectors + shape.tile - 1) // shape.tile
    zero = broadcast(np.float32(0))
    while True:
        position = next_position(queue)
        if position >= shape.batch * tiles:
            break
        item = item_at(position, shape.batch * tiles, shape.threads)
        sample, first = item // tiles, item % tiles * shape.tile
        last = min(shape.vectors, first + shape.tile)
        for slot in range(shape.tile * SLOTS):
            store(activity.scratch, begin + slot * LANES, zero, LANES)
        for until in range(shape.steps, 0, -shape.run):
            run = Run(max(0, until - shape.run), until)
            for vector in range(first, last):
                place = place_of(shape, sample, vector)
                constants = constants_of(parameters, place.first, place.size)
                start = sample * shape.neurons + place.first
                gradient = Strided(upstream, start, stride, place.size)
                deposit = Deposit(grad_inputs, start, shape.batch * shape.neurons, place.size)
                at = begin + (vector - first) * SLOTS * LANES
                _walk(
                    constants, gradient, _stored_of(activity, shape, place), deposit, run,
                    shape.delay, activity.scratch, at,
                )  # fmt: skip
        for vector in range(first, last):
            at = begin + (vector - first) * SLOTS * LANES
            _write_sums(activity, shape, place_of(shape, sample, vector), at)


_walk_on_threads = on_threads_of(_walk_tiles)


@neuron_kernel
def backward_to_current(upstream, stride, parameters, activity, grad_inputs, shape, queue):
    """Fills ``grad_inputs`` and ``activity.grad_parameters``.

    ``upstream`` is the gradient of the output, flat [steps, batch, neurons]. Its steps are
    ``stride`` numbers apart: 0 if all steps have the same gradient. ``queue`` is the work queue, a
    zero.
    """
    arguments = upstream, stride, parameters, activity, grad_inputs, shape, queue
    _walk_on_threads(shape.threads, arguments)
