"""The backward pass of one layer of neurons.

This file is compiled once for each neuron: ``generated`` writes a copy of it in which the imports
from ``neuron_step`` are the functions of the neuron.

As in ``forward_kernels``, a thread takes a tile of vectors through a run of steps, from the last
step to the first.

The loops use fast floating-point arithmetic, because they compute only gradients, not states. Each
vector's loop adds in a fixed order, so that no result depends on the number of threads. NaN and
infinities propagate, so that training notices them.
"""

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.gemm import TILE_COLUMNS, multiply_tile
from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel
from netdesc.kernels.cpu.runtime.layout import Matrix, Strided
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount, on_threads_of
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import PREFETCH_STEPS, load, prefetch, store
from netdesc.kernels.cpu.runtime.simd_tuple import load_tuple, store_each, store_tuple
from netdesc.kernels.cpu.runtime.tiles import StepRun, item_at, next_position, place_of
from netdesc.kernels.cpu.walk.neuron_step import CARRIES, STORED, SUMS, adjoint, constants_of

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
    """Walks a vector back through a run; ``upstream`` and ``stored`` are ``Strided``."""
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
    stride = STORED * LANES
    start = (place.sample * shape.vectors + place.vector) * shape.steps * stride
    return Strided(activity.stored, start, stride, LANES)


@jit_no_refcount
def _write_sums(memory, grad_parameters, shape, place, at):
    for number in range(SUMS):
        total = load(memory, at + (1 + CARRIES + number) * LANES, LANES)
        row = (number * shape.batch + place.sample) * shape.neurons + place.first
        store(grad_parameters, row, total, place.size)


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
            run = StepRun(max(0, until - shape.run), until)
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
            place = place_of(shape, sample, vector)
            _write_sums(activity.scratch, activity.grad_parameters, shape, place, at)


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


@jit_no_refcount
def _multiply_feedback(feedback, grad_inputs, shape, row, block):
    """Fills ``block`` [TILE_ROWS, columns] from the samples from ``row`` on, in [steps · batch]."""
    panels = len(feedback.weights[0])
    out = Matrix(block, 0, panels * TILE_COLUMNS, 1)
    for number in range(len(grad_inputs)):
        left = Matrix(grad_inputs[number], row * shape.neurons, shape.neurons, 1)
        for panel in range(panels):
            weights, at = feedback.weights[number][panel], panel * TILE_COLUMNS
            multiply_tile(left, weights, out, at, shape.neurons, number > 0)


@jit_no_refcount
def _walk_samples(upstream, parameters, activity, grad_inputs, feedback, shape, queue, thread):
    """In each step, all samples of a group take the product with the weights together."""
    columns = len(feedback.weights[0]) * TILE_COLUMNS
    slots = len(activity.scratch) // shape.threads
    group = slots // (shape.vectors * SLOTS * LANES)
    block, state = feedback.numbers[thread], activity.scratch[thread * slots :][:slots]
    while True:
        first = next_position(queue) * group
        if first >= shape.batch:
            break
        last = min(shape.batch, first + group)
        state[:] = 0
        block[:] = 0
        for t in range(shape.steps - 1, -1, -1):
            if t + 1 < shape.steps:
                row = (t + 1) * shape.batch + first
                _multiply_feedback(feedback, grad_inputs, shape, row, block)
            for sample in range(first, last):
                for vector in range(shape.vectors):
                    place = place_of(shape, sample, vector)
                    at = (sample - first) * columns + place.first
                    start = sample * shape.neurons + place.first
                    if t + shape.delay < shape.steps:
                        later = start + (t + shape.delay) * upstream.stride
                        given = load(upstream.values, later, place.size)
                        store(block, at, load(block, at, place.size) + given, place.size)
                    _walk(
                        constants_of(parameters, place.first, place.size),
                        Strided(block, at, 0, place.size),
                        _stored_of(activity, shape, place),
                        Deposit(grad_inputs, start, shape.batch * shape.neurons, place.size),
                        StepRun(t, t + 1), 0, state,
                        ((sample - first) * shape.vectors + vector) * SLOTS * LANES,
                    )  # fmt: skip
        for sample in range(first, last):
            for vector in range(shape.vectors):
                _write_sums(
                    state, activity.grad_parameters, shape, place_of(shape, sample, vector),
                    ((sample - first) * shape.vectors + vector) * SLOTS * LANES,
                )  # fmt: skip


_samples_on_threads = on_threads_of(_walk_samples)


@neuron_kernel
def backward_with_feedback(upstream, parameters, activity, grad_inputs, feedback, shape, queue):
    """Computes ``backward_to_current`` of neurons that read their own outputs.

    ``grad_inputs`` have ``TILE_ROWS`` more rows than [steps · batch]. ``upstream`` and ``feedback``
    are ``Upstream`` and ``FeedbackMemory``. A thread takes as many samples at a time as its part of
    the scratch memory holds.
    """
    arguments = upstream, parameters, activity, grad_inputs, feedback, shape, queue
    _samples_on_threads(shape.threads, arguments)
