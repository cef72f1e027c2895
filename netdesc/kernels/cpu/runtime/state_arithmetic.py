"""Arithmetic of a neuron's step on SIMD vectors of neurons, for Numba.

States are exact in 32 bits; ``kernels.fixed_point`` explains why nothing overflows.
"""

import math

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.simd import as_ints, broadcast, exp2_nonpositive, where, zeros_like
from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT

_SHIFT, _LOW, _SIGN = np.int32(DECAY_BITS), np.int32(DECAY_ONE - 1), np.int32(31)
MAX_NEAR_STATE = (1 << (31 - DECAY_BITS)) - 1
"""Largest state whose product with 4096 fits into 32 bits: 128 in threshold units."""
_FLOAT_LIMIT = np.float32(STATE_LIMIT)
_MAX_DISTANCE, _LOG2_E = np.float32(60), np.float32(math.log2(math.e))


@numba.njit(inline="always")
def decay_state(state, share):
    """Returns ``rtz(share · state / 4096)``, exact for any 32-bit state and ±4096 shares.

    rtz rounds toward zero. With ``state = 4096·h + l`` and ``l`` in 0..4095 the product is
    ``4096·h·share + l·share``. The arithmetic shift rounds down; adding 4095 to a negative product
    makes it round toward zero.
    """
    low = broadcast(_LOW)
    rest = (state & low) * share + (((state ^ share) >> broadcast(_SIGN)) & low)
    return (state >> broadcast(_SHIFT)) * share + (rest >> broadcast(_SHIFT))


@numba.njit(inline="always")
def decay_near(state, share):
    """Computes ``decay_state`` of states within ± ``MAX_NEAR_STATE`` in half the instructions."""
    product = state * share
    return (product + ((product >> broadcast(_SIGN)) & broadcast(_LOW))) >> broadcast(_SHIFT)


@numba.njit(inline="always")
def clamp(state, limit):
    """Clamps integers to ± ``limit``."""
    high, low = broadcast(np.int32(limit)), broadcast(np.int32(-limit))
    state = where(state > high, high, state)
    return where(state < low, low, state)


@numba.njit(inline="always")
def saturate(state):
    """Clamps a state to ±2²⁹."""
    return clamp(state, STATE_LIMIT)


@numba.njit(inline="always")
def scale_to_state(value, unit):
    """Converts floats to states: ``trunc(unit · value)``, saturated; NaN becomes 0."""
    scaled = value * unit
    scaled = where(scaled == scaled, scaled, broadcast(np.float32(0)))
    scaled = where(scaled > broadcast(_FLOAT_LIMIT), broadcast(_FLOAT_LIMIT), scaled)
    return as_ints(where(scaled < broadcast(-_FLOAT_LIMIT), broadcast(-_FLOAT_LIMIT), scaled))


@numba.njit(inline="always")
def magnitude(value):
    """Returns ``|value|`` of integers or floats."""
    zero = zeros_like(value)
    return where(value < zero, zero - value, value)


@numba.njit(inline="always")
def fall(distance):
    """Returns ``exp(−distance)`` of floats from 0 on; beyond 60 it is ``exp(−60)``.

    The relative error is 1e-6 for small distances, 1e-5 at 60.
    """
    return exp2_nonpositive(minimum(distance, broadcast(_MAX_DISTANCE)) * broadcast(-_LOG2_E))


@numba.njit(inline="always")
def minimum(a, b):
    """Returns the smaller of two vectors; ``b`` in a tie, or if one is NaN."""
    return where(a < b, a, b)


@numba.njit(inline="always")
def maximum(a, b):
    """Returns the larger of two vectors; ``b`` in a tie, or if one is NaN."""
    return where(a > b, a, b)
