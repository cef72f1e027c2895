"""Arithmetic of a neuron's step on vectors of neurons (see ``lanes``), for Numba.

States are exact in 32 bits: ``kernels.grid`` says why nothing overflows.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.simd import (
    as_floats,
    as_ints,
    cast_like,
    spread,
    two_to_the,
    where,
    zeros_like,
)
from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT

_SHIFT, _LOW, _SIGN = np.int32(DECAY_BITS), np.int32(DECAY_ONE - 1), np.int32(31)
_ZERO = np.int32(0)
MAX_NEAR_STATE = (1 << (31 - DECAY_BITS)) - 1
"""Largest state whose product with 4096 fits into 32 bits: 128 thresholds of 1.0."""
_LIMIT = np.int32(STATE_LIMIT)
_UNIT, _FLOAT_LIMIT = np.float32(STATE_UNIT), np.float32(STATE_LIMIT)
_MIN_FLOAT = np.float32(1e-30)


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
    """``decay_state`` of states within ± ``MAX_NEAR_STATE``, in half as many instructions."""
    product = state * keep
    return (product + ((product >> spread(_SIGN)) & spread(_LOW))) >> spread(_SHIFT)


@numba.njit(inline="always")
def clamp(state, limit):
    """Integers held within ± ``limit``."""
    high, low = spread(np.int32(limit)), spread(np.int32(-limit))
    state = where(state > high, high, state)
    return where(state < low, low, state)


@numba.njit(inline="always")
def saturate(state):
    """A state held within ±2²⁹."""
    return clamp(state, _LIMIT)


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
    """``|value|`` of integers or floats."""
    none = zeros_like(value)
    return where(value < none, none - value, value)


@numba.njit(inline="always")
def reset_voltage(v, threshold):
    """The voltage after the reset: 0 where ``v`` is above the threshold."""
    return where(v > spread(threshold), spread(_ZERO), v)


@numba.njit(inline="always")
def surrogate(v, threshold, height, width):
    """``height · exp(−|v − θ| / width)``; the exponent is at least −60.

    The relative error is 1e-6 near the threshold, 1e-5 at 60 widths.
    """
    away = as_floats(magnitude(v - spread(threshold))) * spread(np.float32(1) / np.float32(width))
    away = where(away < spread(np.float32(60)), away, spread(np.float32(60)))
    return spread(np.float32(height)) * two_to_the(away * spread(np.float32(-1.4426950408889634)))


@numba.njit(inline="always")
def flush(value):
    """Floats whose magnitude is below 1e-30 become 0, as arithmetic on denormal ones is slow."""
    return where(magnitude(value) < cast_like(spread(_MIN_FLOAT), value), zeros_like(value), value)
