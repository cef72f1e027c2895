"""Computes the gradient of weights from events, for synapses without neurons."""

from __future__ import annotations

import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.layout import Strided, sample_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.work_queue import item_at, next_position
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.events_by_input import add_run, copy_steps, order_by_input
from netdesc.kernels.cpu.synapses.weights import NO_LIMITS, WeightMemory, write_gradient
from netdesc.kernels.cpu.walk.layer_backward import RUN_STEPS, thread_count_for


def weight_gradient_by_events(
    grad_z_TBN: np.ndarray, events: Events, weight_OI: np.ndarray
) -> np.ndarray:
    """Returns the gradient of real weights [outputs, inputs].

    ``grad_z_TBN`` is the gradient of the synaptic input.
    """
    outputs, inputs = weight_OI.shape
    by_input = order_by_input(events, inputs, outputs, RUN_STEPS)
    grad_OI = allocate((outputs, inputs), np.float32)
    threads, run = thread_count_for(outputs), min(events.steps, RUN_STEPS)
    scratch = (
        allocate_per_thread(threads, inputs * LANES, np.float32),
        allocate_per_thread(threads, run * LANES, np.float32),
    )
    weights = WeightMemory(weight_OI, *NO_LIMITS, grad_OI)
    _sum_by_events(grad_z_TBN, events, by_input, weights, scratch, np.zeros(1, np.int64))
    return grad_OI


@kernel
def _sum_by_events(grad_z_TBN, events, by_input, weights, scratch, queue, threads, thread):
    """Fills ``weights.grad_OI`` of real weights from the gradient of the synaptic input.

    ``scratch`` are each thread's sums, and its copy of a vector's gradients in a run.
    """
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
            sample_grad_z = sample_of(grad_z, batch, neurons, sample, first, n)
            for until in range(steps, 0, -run):
                steps_of_run = max(0, until - run), until
                run_grad_z = Strided(copies[thread], -steps_of_run[0] * LANES, LANES, LANES)
                copy_steps(sample_grad_z, run_grad_z, steps_of_run)
                add_run(events, by_input, sample, steps_of_run, run_grad_z, sums)
        write_gradient(sums, weights.weight_OI, weights.low, weights.high, first, weights.grad_OI)
