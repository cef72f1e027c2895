"""The device's neurons for Numba: exact integers, 24-bit states."""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.grid import DECAY_BITS, DECAY_ONE, DEVICE_STATE_LIMIT, STATES_PER_WEIGHT
from netdesc.kernels.kept import forget_outdated

_WRAP = 2 * (DEVICE_STATE_LIMIT + 1)


@numba.njit(inline="always")
def _wrap(current):
    """Into −2²³ < u ≤ 2²³, as the device's adders do it."""
    return np.int32((current + DEVICE_STATE_LIMIT) % _WRAP - DEVICE_STATE_LIMIT)


@numba.njit(inline="always")
def _clip(voltage):
    voltage = min(voltage, np.int64(DEVICE_STATE_LIMIT))
    return np.int32(max(voltage, np.int64(-DEVICE_STATE_LIMIT)))


@numba.njit(inline="always")
def _decayed(state, keep):
    """``keep · state / 4096``, cut off toward zero."""
    product = np.int64(state) * np.int64(keep)
    return (product + ((product >> 63) & (DECAY_ONE - 1))) >> DECAY_BITS


@numba.njit(cache=True, nogil=True)
def dense_cuba(
    starts, sources, sizes, weight_IN, keep_u, keep_v, bias, threshold, spikes_TN, counts
):
    """All steps of one dense layer of CUBA neurons.

    In step t the events ``starts[t]`` to ``starts[t + 1]`` arrive: from the inputs ``sources``, of
    the (integer) ``sizes``. ``weight_IN`` holds each input's weights in a row; ``keep_*`` are 4096
    minus the decay; ``bias`` and ``threshold`` are in state units (1/4096). ``spikes_TN`` is set
    one step after a neuron spikes. ``counts`` gets how often a current wrapped and a voltage was
    clipped.
    """
    steps, neurons = spikes_TN.shape
    arriving = np.zeros(neurons, np.int64)
    u = np.zeros(neurons, np.int32)
    v = np.zeros(neurons, np.int32)
    for t in range(steps):
        arriving[:] = 0
        for event in range(starts[t], starts[t + 1]):
            row = weight_IN[sources[event]]
            size = sizes[event]
            for n in range(neurons):
                arriving[n] += size * row[n]
        for n in range(neurons):
            current = _decayed(u[n], keep_u[n]) + STATES_PER_WEIGHT * arriving[n]
            u[n] = _wrap(current)
            voltage = _decayed(v[n], keep_v[n]) + u[n] + bias[n]
            v[n] = _clip(voltage)
            counts[0] += u[n] != current
            counts[1] += v[n] != voltage
            if v[n] > threshold:
                v[n] = 0
                if t + 1 < steps:
                    spikes_TN[t + 1, n] = True


forget_outdated(dense_cuba)
