"""Arithmetic of a neuron's step for Triton, as in ``cpu.runtime.state_arithmetic``.

Functions compute blocks ``[BLOCK]`` of columns. A column is one neuron of one sample; columns are
neighbours in a time-first tensor ``[steps, batch, neurons]``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT

ROUNDING = tl.constexpr(1.5 * 2**23)
"""Adding this number to a float and subtracting it again rounds the float, ties to even.

Floats of this size have no fraction.
"""

_BITS = tl.constexpr(DECAY_BITS)
_ONE = tl.constexpr(DECAY_ONE)
_FLOAT_ONE = tl.constexpr(float(DECAY_ONE))
_LOW = tl.constexpr(DECAY_ONE - 1)
_LIMIT = tl.constexpr(STATE_LIMIT)
_UNIT = tl.constexpr(float(STATE_UNIT))
_FLOAT_LIMIT = tl.constexpr(float(STATE_LIMIT))


@triton.jit
def decay_state(state, keep):
    """Returns ``rtz(keep · state / 4096)``, exact for any 32-bit state and ``keep`` in 0..4096.

    rtz rounds toward zero. With ``state = 4096·h + l`` the product is ``4096·h·keep + l·keep``. The
    arithmetic shift rounds down; adding 4095 to a negative product makes it round toward zero.
    """
    toward_zero = (state >> 31) & _LOW
    return (state >> _BITS) * keep + (((state & _LOW) * keep + toward_zero) >> _BITS)


@triton.jit
def saturate(state):
    """Clamps a state to ±2²⁹."""
    return tl.minimum(tl.maximum(state, -_LIMIT), _LIMIT)


@triton.jit
def to_state(value):
    """Converts floats to states: ``trunc(4096 · value)``, saturated; NaN becomes 0."""
    scaled = tl.where(value == value, value * _UNIT, 0.0)
    # Comparisons, because minimum and maximum treat NaN differently on different GPUs.
    scaled = tl.where(scaled < _FLOAT_LIMIT, scaled, _FLOAT_LIMIT)
    scaled = tl.where(scaled > -_FLOAT_LIMIT, scaled, -_FLOAT_LIMIT)
    return scaled.to(tl.int32)


@triton.jit
def load_keep(decay, neuron, stride):
    """Loads ``4096 − round(4096 · decay)``, int32 [BLOCK], as ``neuron_parameters.keep_factor``.

    ``decay`` is float32, one per neuron (``stride`` 1) or one for all (``stride`` 0). In torch, the
    conversion would take many kernels; here it takes negligible time.
    """
    share = tl.load(decay + neuron * stride)
    share = tl.where(share > 0.0, share, 0.0)  # NaN becomes 0
    share = tl.where(share < 1.0, share, 1.0)
    lost = ((share * _FLOAT_ONE + ROUNDING) - ROUNDING).to(tl.int32)
    return -lost + _ONE


@triton.jit
def load_bias(bias, neuron, HAS_BIAS: tl.constexpr):
    """Loads the bias in state units, int32 [BLOCK]; ``bias`` is float32 [neurons], or empty."""
    offset = neuron * 0
    if HAS_BIAS:
        offset = to_state(tl.load(bias + neuron))
    return offset


@triton.jit
def columns_of(program, BLOCK: tl.constexpr):
    """Returns the indices [BLOCK] of a program's columns. Indices may be beyond the last column."""
    return program * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def existing_columns(column, columns, step, first, steps):
    """Returns a mask [BLOCK], True if ``column`` is below ``columns`` and ``step`` exists.

    The existing steps are ``first`` to ``steps − 1``.
    """
    # Triton's interpreter would turn ``&`` of a mask and a scalar bool into numbers.
    last = tl.where(step < steps, columns, 0)
    return column < tl.where(step >= first, last, 0)


@triton.jit
def load_rows(at, row, column, columns, step, first, steps, ROWS: tl.constexpr):
    """Returns ``ROWS`` consecutive steps, from ``step`` on, of a block of columns, each [BLOCK].

    ``at`` are the pointers to ``step``; the following steps are ``row`` numbers apart. Steps before
    ``first`` and from ``steps`` on are 0. All rows are loaded before any row is used, so that the
    program waits for memory only once. The compiler does not do this by itself, because it does not
    know that loads and stores have different addresses.
    """
    rows = ()
    for i in tl.static_range(ROWS):
        mask = existing_columns(column, columns, step + i, first, steps)
        rows = rows + (tl.load(at + i * row, mask=mask, other=0),)
    return rows
