"""Computes the gradient of weights from events, for synapses without neurons."""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_for_kernels
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.layout import sample_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.work_queue import item_at, next_position
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.events_by_input import add_run, order_by_input
from netdesc.kernels.cpu.synapses.weights import WeightMemory, half_limits, write_gradient
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
    sums = allocate((thread_count_for(outputs), inputs * LANES), np.float32)
    weights = WeightMemory(weight_OI, *half_limits(None), grad_OI)
    _sum_by_events(grad_z_TBN, events, by_input, weights, sums)
    return grad_OI


@jit_for_kernels
def _clear(numbers):
    """Sets all numbers to 0.

    This is a function because Numba would compile the same line in a kernel to a parallel loop
    within the loop over threads.
    """
    numbers[:] = 0


@kernel
def _sum_by_events(grad_z_TBN, events, by_input, weights, sums_KN):
    """Fills ``weights.grad_OI`` of real weights from the gradient of the synaptic input."""
    steps, batch, neurons = grad_z_TBN.shape
    grad_z, run = grad_z_TBN.reshape(-1), by_input.length or steps
    thread_count, vectors = len(sums_KN), (neurons + LANES - 1) // LANES
    queue = np.zeros(1, np.int64)
    for thread in numba.prange(thread_count):
        while True:
            position = next_position(queue)
            if position >= vectors:
                break
            first, sums = item_at(position, vectors, thread_count) * LANES, sums_KN[thread]
            n = min(LANES, neurons - first)
            _clear(sums)
            for sample in range(batch):
                sample_grad_z = sample_of(grad_z, batch, neurons, sample, first, n)
                for until in range(steps, 0, -run):
                    add_run(
                        events, by_input, sample, (max(0, until - run), until), sample_grad_z, sums
                    )
            write_gradient(
                sums, weights.weight_OI, weights.low, weights.high, first, weights.grad_OI
            )
