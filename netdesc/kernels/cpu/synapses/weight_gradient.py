"""The gradient of weights from events, row by row or ordered by input (CSC).

If events are added row by row (a row is one step of a sample), each event loads the sums of its
input, adds to them and stores them. If events are ordered by input, the sums stay in registers for
a run of steps, so an event costs one addition. Ordering pays if inputs spike often in a run. Both
ways add in the same order.
"""

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.layout import Strided
from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import element, load, store
from netdesc.kernels.cpu.runtime.threads import current_call
from netdesc.kernels.cpu.runtime.tiles import RUN_STEPS, item_at, next_position
from netdesc.kernels.cpu.spikes import Events
from netdesc.kernels.cpu.synapses.synaptic_input import add_to_sources
from netdesc.kernels.cpu.synapses.weights import NO_LIMITS, Limits, WeightMemory, write_gradient

_MIN_EVENTS = 12
"""Smallest number of events per input and run, on average, for which ordering pays.

Measured on a Xeon with AVX-512 and 512 inputs: both ways took the same time at 8 to 13 events if
each thread had a core, at 4 if two threads shared a core.
"""

_MIN_VECTORS = 6
"""Smallest number of vectors of neurons for which ordering pays.

Ordering events takes as long as adding them row by row for two vectors.
"""

_MAX_EVENTS = np.iinfo(np.int32).max
"""Largest number of events that the 32-bit ``EventsByInput.starts`` can count."""


class EventsByInput(NamedTuple):
    """The steps in which each input spikes, listed separately for each run of ``length`` steps.

    Runs are counted from the end: run 0 holds the last steps. In run k of sample b, input j spikes
    in ``steps[starts[i]:starts[i + 1]]``, where i is ``(b · runs + k) · inputs + j``. Steps are in
    descending order and counted from the run's first step. A ``length`` of 0 means that events are
    added row by row.
    """

    length: int
    runs: int
    starts: np.ndarray
    steps: np.ndarray


ROW_BY_ROW = EventsByInput(0, 0, np.empty(0, np.int32), np.empty(0, np.uint16))


def order_by_input(events: Events, inputs: int, neurons: int, length: int) -> EventsByInput:
    """Orders events by input in runs of ``length`` steps.

    Returns ``ROW_BY_ROW``, which holds no steps, if ordering does not pay. ``neurons`` is the
    number of outputs that read the inputs.
    """
    runs, total = -(-events.steps // length), int(events.starts[-1])
    slots = events.batch * runs * inputs
    is_wide = neurons > (_MIN_VECTORS - 1) * LANES
    if not (is_wide and _MIN_EVENTS * slots <= total <= _MAX_EVENTS):
        return ROW_BY_ROW
    starts = allocate((slots + 1,), np.int32)
    steps = allocate((max(1, total),), np.int16).view(np.uint16)
    _count_events(events, inputs, length, runs, starts)
    np.cumsum(starts[:-1], out=starts[:-1])
    starts[-1] = total
    _fill_steps(events, inputs, length, runs, starts, steps)
    return EventsByInput(length, runs, starts, steps)


@kernel
def _count_events(events, inputs, length, runs, starts, threads, thread):
    for item in share_of(events.batch * runs, threads, thread):
        sample, last = item // runs, events.steps - item % runs * length
        counts = starts[item * inputs : (item + 1) * inputs]
        counts[:] = 0
        for t in range(max(0, last - length), last):
            row = t * events.batch + sample
            for e in range(events.starts[row], events.starts[row + 1]):
                counts[np.uint64(element(events.sources, e))] += 1


@kernel
def _fill_steps(events, inputs, length, runs, starts, steps, threads, thread):
    """Turns ``starts`` from the ends of the steps of each input in each run to their starts."""
    for item in share_of(events.batch * runs, threads, thread):
        sample, last = item // runs, events.steps - item % runs * length
        first = max(0, last - length)
        ends = starts[item * inputs : (item + 1) * inputs]
        for t in range(first, last):
            row = t * events.batch + sample
            for e in range(events.starts[row], events.starts[row + 1]):
                source = np.uint64(element(events.sources, e))
                ends[source] -= 1
                steps[np.uint64(ends[source])] = np.uint16(t - first)


@jit_no_refcount
def copy_steps(source, target, run):
    """Copies the steps ``run[0]`` to ``run[1] - 1``. ``source`` and ``target`` are ``Strided``."""
    for t in range(run[0], run[1]):
        values = load(source.numbers, source.start + t * source.stride, source.size)
        store(target.numbers, target.start + t * target.stride, values, target.size)


@numba.njit(inline="always")
def add_run(events, by_input, sample, run, grad_z, sums):
    """Adds the gradient of each event's step to the sums of the event's input.

    ``grad_z``, a ``Strided``, holds the gradients. They should lie together, because ordered events
    read them in any order. The run is steps ``run[0]`` to ``run[1] - 1``; ``sums`` is flat
    [inputs · LANES].
    """
    if by_input.length == 0:
        for t in range(run[1] - 1, run[0] - 1, -1):
            g = load(grad_z.numbers, grad_z.start + t * grad_z.stride, grad_z.size)
            add_to_sources(events, t * events.batch + sample, g, sums)
        return
    inputs = len(sums) // LANES
    number = (events.steps - run[1]) // by_input.length
    slot = (sample * by_input.runs + number) * inputs
    e = np.int64(element(by_input.starts, slot))
    for j in range(inputs):
        end = np.int64(element(by_input.starts, slot + j + 1))
        if e < end:
            total = load(sums, j * LANES, LANES)
            while e < end:
                t = run[0] + np.int64(element(by_input.steps, e))
                at = grad_z.start + t * grad_z.stride
                total = total + load(grad_z.numbers, at, grad_z.size)
                e += 1
            store(sums, j * LANES, total, LANES)


def weight_gradient_by_events(
    grad_z_TBN: np.ndarray, events: Events, weight_OI: np.ndarray, limits: Limits = NO_LIMITS
) -> np.ndarray:
    """Returns the gradient of real weights [outputs, inputs], 0 for those beyond ``limits``.

    ``grad_z_TBN`` is the gradient of the synaptic input.
    """
    outputs, inputs = weight_OI.shape
    by_input = order_by_input(events, inputs, outputs, RUN_STEPS)
    grad_OI = allocate((outputs, inputs), np.float32)
    threads, run = min(current_call.threads, -(-outputs // LANES)), min(events.steps, RUN_STEPS)
    scratch = (
        allocate_per_thread(threads, inputs * LANES, np.float32),
        allocate_per_thread(threads, run * LANES, np.float32),
    )
    weights = WeightMemory(weight_OI, *limits, grad_OI)
    _sum_by_events(grad_z_TBN, events, by_input, weights, scratch, np.zeros(1, np.int64))
    return grad_OI


@kernel
def _sum_by_events(grad_z_TBN, events, by_input, weights, scratch, queue, threads, thread):
    """``scratch`` are each thread's sums, and its copy of a vector's gradients in a run."""
    steps, batch, neurons = grad_z_TBN.shape
    grad_z, (sums_KN, copies) = grad_z_TBN.reshape(-1), scratch
    run = copies.shape[1] // LANES
    vectors = (neurons + LANES - 1) // LANES
    # A thread without a row of sums does nothing; the others take vectors until none is left.
    while thread < len(sums_KN):
        position = next_position(queue)
        if position >= vectors:
            break
        first, sums = item_at(position, vectors, len(sums_KN)) * LANES, sums_KN[thread]
        n = min(LANES, neurons - first)
        sums[:] = 0
        for sample in range(batch):
            sample_grad_z = Strided(grad_z, sample * neurons + first, batch * neurons, n)
            for until in range(steps, 0, -run):
                steps_of_run = max(0, until - run), until
                run_grad_z = Strided(copies[thread], -steps_of_run[0] * LANES, LANES, LANES)
                copy_steps(sample_grad_z, run_grad_z, steps_of_run)
                add_run(events, by_input, sample, steps_of_run, run_grad_z, sums)
        write_gradient(sums, weights.weight_OI, weights.low, weights.high, first, weights.grad_OI)
