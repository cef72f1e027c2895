"""One step of a neuron, for Triton: the arithmetic of ``cpu.steps`` in the 32 bits of a register.

Everything works on blocks ``[BLOCK]`` of columns: neurons and batch side by side, as they lie in
memory in a time-first tensor ``[steps, batch, neurons]``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT

ROUNDING = tl.constexpr(1.5 * 2**23)
"""Floats of this size have no digits after the point, so adding it rounds, halves to even."""

_BITS = tl.constexpr(DECAY_BITS)
_ONE = tl.constexpr(DECAY_ONE)
_FLOAT_ONE = tl.constexpr(float(DECAY_ONE))
_LOW = tl.constexpr(DECAY_ONE - 1)
_LIMIT = tl.constexpr(STATE_LIMIT)
_UNIT = tl.constexpr(float(STATE_UNIT))
_FLOAT_LIMIT = tl.constexpr(float(STATE_LIMIT))


@triton.jit
def decay_state(state, keep):
    """``rtz(keep · state / 4096)``, exact for any 32-bit state and ``keep`` in 0..4096.

    With ``state = 4096·h + l`` the product is ``4096·h·keep + l·keep``; adding 4095 to a negative
    product before the arithmetic shift turns its floor into rounding to zero.
    """
    toward_zero = (state >> 31) & _LOW
    return (state >> _BITS) * keep + (((state & _LOW) * keep + toward_zero) >> _BITS)


@triton.jit
def saturate(state):
    """Hold a state within ±2²⁹."""
    return tl.minimum(tl.maximum(state, -_LIMIT), _LIMIT)


@triton.jit
def to_state(value):
    """``trunc(4096 · value)`` of a float, saturated; NaN becomes 0."""
    scaled = tl.where(value == value, value * _UNIT, 0.0)
    # Selected, not by minimum and maximum, whose treatment of NaN differs between machines.
    scaled = tl.where(scaled < _FLOAT_LIMIT, scaled, _FLOAT_LIMIT)
    scaled = tl.where(scaled > -_FLOAT_LIMIT, scaled, -_FLOAT_LIMIT)
    return scaled.to(tl.int32)


@triton.jit
def keep_of(decay, neuron, each):
    """``4096 − round(4096 · decay)`` int32 [BLOCK] as ``parameters.keep`` makes it.

    ``decay`` is float32, one for each neuron (``each`` 1) or one for all (``each`` 0). Computed
    here, it costs nothing beside a kernel's steps; made beforehand, it is many kernels.
    """
    share = tl.load(decay + neuron * each)
    share = tl.where(share > 0.0, share, 0.0)  # NaN becomes 0
    share = tl.where(share < 1.0, share, 1.0)
    lost = ((share * _FLOAT_ONE + ROUNDING) - ROUNDING).to(tl.int32)
    return -lost + _ONE


@triton.jit
def bias_of(bias, neuron, HAS_BIAS: tl.constexpr):
    """The bias in state units, int32 [BLOCK]; ``bias`` is float32 [neurons], or nothing."""
    offset = neuron * 0
    if HAS_BIAS:
        offset = to_state(tl.load(bias + neuron))
    return offset


@triton.jit
def columns_of(program, BLOCK: tl.constexpr):
    """The columns [BLOCK] that a program owns; the last ones of the last program do not exist."""
    return program * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def existing(column, columns, step, first, steps):
    """Which of the ``columns`` exist [BLOCK], and none unless ``step`` is in first..steps − 1."""
    # Through the scalar: Triton's interpreter makes numbers of a block of truths and one truth.
    last = tl.where(step < steps, columns, 0)
    return column < tl.where(step >= first, last, 0)


@triton.jit
def rows_ahead(at, row, column, columns, step, first, steps, ROWS: tl.constexpr):
    """``ROWS`` blocks [BLOCK] of the rows ``at``, ``at + row``…, which are those of ``step``…

    Rows of other steps than first..steps − 1 are 0. Loaded before any is used, so that one wait
    for the memory serves them all: no load could be moved ahead of a store by the compiler, which
    does not know that they never meet.
    """
    rows = ()
    for i in tl.static_range(ROWS):
        mask = existing(column, columns, step + i, first, steps)
        rows = rows + (tl.load(at + i * row, mask=mask, other=0),)
    return rows
