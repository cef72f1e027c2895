"""The device's neurons: exact integers, 24-bit states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.hardware.integers import DenseIntegers
from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, DEVICE_STATE_LIMIT, STATES_PER_WEIGHT

_24_BITS = (1 << 24) - 1

States = NDArray[np.int64]
"""Of all neurons, unit 1/4096 of a threshold unit."""


class Cuba:
    """CUBA neurons of one layer. ``wrapped`` and ``clipped`` count states that left 24 bits."""

    def __init__(self, layer: DenseIntegers) -> None:
        neurons = len(layer.weight)
        self._keep_u = DECAY_ONE - layer.current_decay.astype(np.int64)
        self._keep_v = DECAY_ONE - layer.voltage_decay.astype(np.int64)
        bias = np.zeros(neurons, np.int64) if layer.bias is None else layer.bias.astype(np.int64)
        self._bias = STATES_PER_WEIGHT * bias
        self._threshold = STATES_PER_WEIGHT * layer.threshold
        self._u = np.zeros(neurons, np.int64)
        self._v = np.zeros(neurons, np.int64)
        self.wrapped = 0
        self.clipped = 0

    def step(self, arriving: States) -> NDArray[np.bool_]:
        """Which neurons spike in the next step, in which ``arriving`` is added to the currents."""
        current = _decayed(self._u, self._keep_u) + arriving
        self._u = _wrap(current)
        voltage = _decayed(self._v, self._keep_v) + self._u + self._bias
        clipped = np.minimum(np.maximum(voltage, -DEVICE_STATE_LIMIT), DEVICE_STATE_LIMIT)
        self.wrapped += int(np.count_nonzero(self._u != current))
        self.clipped += int(np.count_nonzero(clipped != voltage))
        spikes = clipped > self._threshold
        self._v = np.where(spikes, 0, clipped)
        return spikes


def _decayed(state: States, keep: States) -> States:
    """``keep · state / 4096``, cut off toward zero."""
    product = keep * state
    return (product + ((product >> 63) & (DECAY_ONE - 1))) >> DECAY_BITS


def _wrap(current: States) -> States:
    """Into −2²³ < u ≤ 2²³, as the device's adders do it."""
    return ((current + DEVICE_STATE_LIMIT) & _24_BITS) - DEVICE_STATE_LIMIT
