"""One step of neurons, for Numba, in vectors of neurons (see ``lanes``).

All is exact in 32 bits: ``kernels.grid`` says why nothing overflows.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import (
    as_floats,
    as_ints,
    cast_like,
    spread,
    two_to_the,
    where,
    zeros_like,
)
from netdesc.kernels.grid import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT

_SHIFT, _LOW, _SIGN = np.int32(DECAY_BITS), np.int32(DECAY_ONE - 1), np.int32(31)
_NONE = np.int32(0)
NEAR = (1 << (31 - DECAY_BITS)) - 1
"""States of this size times 4096 fit into 32 bits: they are 128 thresholds of 1.0."""
_LIMIT = np.int32(STATE_LIMIT)
_UNIT, _FLOAT_LIMIT = np.float32(STATE_UNIT), np.float32(STATE_LIMIT)
_FLOOR = np.float32(1e-30)


@numba.njit(inline="always")
def decay_state(state, keep):
    """``rtz(keep · state / 4096)``, exact for any 32-bit state and ``keep`` in 0..4096.

    With ``state = 4096·h + l`` and ``l`` in 0..4095 the product is ``4096·h·keep + l·keep``; adding
    4095 to a negative product before the arithmetic shift turns its floor into rounding to zero.
    """
    low = spread(_LOW)
    rest = (state & low) * keep + ((state >> spread(_SIGN)) & low)
    return (state >> spread(_SHIFT)) * keep + (rest >> spread(_SHIFT))


@numba.njit(inline="always")
def decay_near(state, keep):
    """``decay_state`` of states within ``NEAR``, whose product fits into 32 bits."""
    product = state * keep
    return (product + ((product >> spread(_SIGN)) & spread(_LOW))) >> spread(_SHIFT)


@numba.njit(inline="always")
def hold(state, limit):
    """Hold integers within ± ``limit``."""
    high, low = spread(np.int32(limit)), spread(np.int32(-limit))
    state = where(state > high, high, state)
    return where(state < low, low, state)


@numba.njit(inline="always")
def saturate(state):
    """Hold a state within ±2²⁹."""
    return hold(state, _LIMIT)


@numba.njit(inline="always")
def to_state(value):
    """``trunc(4096 · value)`` of floats, saturated; NaN becomes 0."""
    scaled = value * spread(_UNIT)
    scaled = where(scaled == scaled, scaled, spread(np.float32(0)))
    scaled = where(scaled > spread(_FLOAT_LIMIT), spread(_FLOAT_LIMIT), scaled)
    return as_ints(where(scaled < spread(-_FLOAT_LIMIT), spread(-_FLOAT_LIMIT), scaled))


@numba.njit(inline="always")
def from_state(state):
    """States as floats in threshold units."""
    return as_floats(state) * spread(np.float32(1 / STATE_UNIT))


@numba.njit(inline="always")
def magnitude(value):
    none = zeros_like(value)
    return where(value < none, none - value, value)


@numba.njit(inline="always")
def after_reset(v, threshold):
    """The voltage that is held on: 0 after a spike."""
    return where(v > spread(threshold), spread(_NONE), v)


@numba.njit(inline="always")
def surrogate(v, threshold, height, width):
    """``height · exp(−|v − θ| / width)``, beyond 60 widths that of 60.

    It is right to 1e-6 of itself near the threshold, to 1e-5 at 60 widths.
    """
    away = as_floats(magnitude(v - spread(threshold))) * spread(np.float32(1) / np.float32(width))
    away = where(away < spread(np.float32(60)), away, spread(np.float32(60)))
    return spread(np.float32(height)) * two_to_the(away * spread(np.float32(-1.4426950408889634)))


@numba.njit(inline="always")
def flush(value):
    """Make a decaying float 0 below 1e-30: denormal numbers, which would follow, are slow."""
    return where(magnitude(value) < cast_like(spread(_FLOOR), value), zeros_like(value), value)
