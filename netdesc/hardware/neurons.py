"""Simulates the device's CUBA neurons in exact integers with 24-bit states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.hardware.integers import DenseIntegers
from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, DEVICE_STATE_LIMIT, STATES_PER_WEIGHT

_MASK_24_BITS = (1 << 24) - 1

States = NDArray[np.int64]
"""The state of each neuron of a layer, [neurons], in units of 1/4096."""


class IntegerCuba:
    """The CUBA neurons of one layer and their states.

    ``wrapped`` counts the currents and ``clipped`` the voltages that exceeded 24 bits.
    """

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

    def step(self, synaptic_input: States) -> NDArray[np.bool_]:
        """Runs one step with ``synaptic_input`` [neurons]. Returns the spikes [neurons]."""
        current = _decay(self._u, self._keep_u) + synaptic_input
        self._u = _wrap(current)
        voltage = _decay(self._v, self._keep_v) + self._u + self._bias
        clipped = np.minimum(np.maximum(voltage, -DEVICE_STATE_LIMIT), DEVICE_STATE_LIMIT)
        self.wrapped += int(np.count_nonzero(self._u != current))
        self.clipped += int(np.count_nonzero(clipped != voltage))
        spikes = clipped > self._threshold
        self._v = np.where(spikes, 0, clipped)
        return spikes


def _decay(state: States, keep: States) -> States:
    """Returns ``keep · state / 4096``, rounded toward zero."""
    product = keep * state
    return (product + ((product >> 63) & (DECAY_ONE - 1))) >> DECAY_BITS


def _wrap(current: States) -> States:
    """Wraps currents into −2²³ < u ≤ 2²³, as the device's adders do."""
    return ((current + DEVICE_STATE_LIMIT) & _MASK_24_BITS) - DEVICE_STATE_LIMIT
