"""One step of a neuron, for Numba. Torch-free, so that the integer runner shares it.

Numba computes integer expressions in 64 bits; ``np.int32`` after every operation lets LLVM narrow
them to 32-bit lanes again, which is what makes the loops over neurons vectorise.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.grid import DECAY_BITS, DECAY_ONE, STATE_LIMIT

_LOW = np.int32(DECAY_ONE - 1)
_LIMIT = np.int32(STATE_LIMIT)
_FLOOR = np.float32(1e-30)

FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""Numba's fast maths for floats, without its promise that there are no NaN and no infinities."""


@numba.njit(inline="always")
def decay_state(state, keep):
    """``rtz(keep · state / 4096)`` in 32 bits, exact for any 32-bit state and ``keep`` in 0..4096.

    With ``state = 4096·h + l`` and ``l`` in 0..4095 the product is ``4096·h·keep + l·keep``; adding
    4095 to a negative product before the arithmetic shift turns its floor into rounding to zero.
    """
    high = np.int32(state >> DECAY_BITS)
    low = np.int32(state & _LOW)
    toward_zero = np.int32((state >> 31) & _LOW)
    return np.int32(
        np.int32(high * keep) + np.int32(np.int32(np.int32(low * keep) + toward_zero) >> DECAY_BITS)
    )


@numba.njit(inline="always")
def saturate(state):
    """Hold a state within ±2²⁹."""
    state = _LIMIT if state > _LIMIT else state
    return np.int32(-_LIMIT if state < -_LIMIT else state)


@numba.njit(inline="always")
def to_state(value):
    """``trunc(4096 · value)`` of a float, saturated; NaN becomes 0."""
    scaled = np.float32(value) * np.float32(4096.0)
    scaled = scaled if scaled < np.float32(STATE_LIMIT) else np.float32(STATE_LIMIT)
    scaled = scaled if scaled > np.float32(-STATE_LIMIT) else np.float32(-STATE_LIMIT)
    return np.int32(scaled if value == value else np.float32(0))


@numba.njit(inline="always")
def flush(value):
    """Make a decaying float 0 below 1e-30: denormal numbers, which would follow, are slow."""
    magnitude = -value if value < 0 else value
    return value * np.float32(0) if magnitude < _FLOOR else value
