"""Computes the sums of real weights over events, for synapses without neurons."""

from __future__ import annotations

import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import store
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.synaptic_input import gather_real
from netdesc.kernels.cpu.synapses.weights import real_vectors


def current_by_events(events: Events, weight_OI: np.ndarray) -> np.ndarray:
    """Returns the sums of real weights over events, float32 [steps, batch, outputs]."""
    z_TBN = allocate((events.steps, events.batch, len(weight_OI)), np.float32)
    _gather_all(events, real_vectors(weight_OI), z_TBN)
    return z_TBN


@kernel
def _gather_all(events, weight_VIN, z_TBN, threads, thread):
    steps, batch, size = z_TBN.shape
    vectors, z = len(weight_VIN), z_TBN.reshape(-1)
    for item in share_of(batch * vectors, threads, thread):
        sample, vector = item // vectors, item % vectors
        first = vector * LANES
        count = min(LANES, size - first)
        for t in range(steps):
            row = t * batch + sample
            current = gather_real(events, row, weight_VIN[vector], count)
            store(z, row * size + first, current, count)
