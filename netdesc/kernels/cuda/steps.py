"""Arithmetic of a neuron's step for Triton, as in ``cpu.runtime.state_arithmetic``.

Functions compute blocks ``[BLOCK]`` of columns. A column is one neuron of one sample; columns are
neighbours in a time-first tensor ``[steps, batch, neurons]``.
"""

import triton
import triton.language as tl

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT, WEIGHT_UNIT
from netdesc.neurons.expressions import PARAMETER_LIMIT
from netdesc.neurons.operations import MAX_FALL

ROUNDING = tl.constexpr(1.5 * 2**23)
"""Adding this number to a float and subtracting it again rounds the float, ties to even.

Floats of this size have no fraction.
"""

_BITS = tl.constexpr(DECAY_BITS)
_ONE = tl.constexpr(DECAY_ONE)
_FLOAT_ONE = tl.constexpr(float(DECAY_ONE))
_LOW = tl.constexpr(DECAY_ONE - 1)
LIMIT = tl.constexpr(STATE_LIMIT)
_WEIGHT_UNIT = tl.constexpr(WEIGHT_UNIT)
_STATE_UNIT = tl.constexpr(STATE_UNIT)
_PARAMETER_LIMIT = tl.constexpr(PARAMETER_LIMIT)
_MAX_FALL = tl.constexpr(MAX_FALL)


@triton.jit
def multiply_share(state, share):
    """Returns ``rtz(share · state / 4096)``, exact for ``share`` in −4096..4096 and any state whose
    negative is a 32-bit number, too.

    rtz rounds toward zero. With ``state = 4096·h + l`` the product is ``4096·h·share + l·share``.
    The arithmetic shift rounds down; adding 4095 to a negative product makes it round toward zero.
    """
    toward_zero = ((state ^ share) >> 31) & _LOW
    return (state >> _BITS) * share + (((state & _LOW) * share + toward_zero) >> _BITS)


@triton.jit
def saturate(state):
    """Clamps a state to ±2²⁹."""
    return tl.minimum(tl.maximum(state, -LIMIT), LIMIT)


@triton.jit
def fall(a):
    """Returns ``exp(−a)``, and exp(−60) beyond 60; NaN stays NaN."""
    return tl.exp(-tl.where(a > _MAX_FALL, _MAX_FALL, a))


@triton.jit
def truncate(value, UNIT: tl.constexpr, LIMIT: tl.constexpr):
    """Returns ``trunc(UNIT · value)`` as int32, clamped to ± ``LIMIT``; NaN becomes 0."""
    scaled = tl.where(value == value, value * UNIT, 0.0)
    # Comparisons, because minimum and maximum treat NaN differently on different GPUs.
    scaled = tl.where(scaled < LIMIT, scaled, LIMIT)
    scaled = tl.where(scaled > -LIMIT, scaled, -LIMIT)
    return scaled.to(tl.int32)


# Parameters are real numbers. ``grid.parameter_vector`` rounds them as these functions do, with a
# dozen kernels of torch; here it takes negligible time. ``UNIT`` states are a threshold unit.


@triton.jit
def load_real(at, UNIT: tl.constexpr):
    return tl.load(at)


@triton.jit
def load_factor(at, UNIT: tl.constexpr):
    """Loads factors in −1..1: shares ``round(4096 · factor)``, int32."""
    value = tl.load(at)
    value = tl.where(value > -1.0, value, tl.where(value == value, -1.0, 0.0))
    value = tl.where(value < 1.0, value, 1.0)
    return ((value * _FLOAT_ONE + ROUNDING) - ROUNDING).to(tl.int32)


@triton.jit
def load_decay(at, UNIT: tl.constexpr):
    """Loads decays in 0..1: shares ``4096 − round(4096 · decay)`` that are kept, int32."""
    return -tl.maximum(load_factor(at, UNIT), 0) + _ONE


@triton.jit
def load_grid(at, UNIT: tl.constexpr):
    """Loads states: multiples of 1/4096."""
    units: tl.constexpr = UNIT // _STATE_UNIT
    return truncate(tl.load(at), _STATE_UNIT, _PARAMETER_LIMIT // units) * units


@triton.jit
def load_threshold(at, UNIT: tl.constexpr):
    """Loads thresholds: multiples of 1/64, as states."""
    units: tl.constexpr = UNIT // _WEIGHT_UNIT
    return truncate(tl.load(at), _WEIGHT_UNIT, _PARAMETER_LIMIT // units) * units


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


@triton.jit
def load_rows_of_each(at, row, column, columns, step, first, steps, ROWS: tl.constexpr):
    """Returns ``load_rows`` of each of the pointers in the tuple ``at``."""
    rows = ()
    for k in tl.static_range(len(at)):
        rows = rows + (load_rows(at[k], row, column, columns, step, first, steps, ROWS),)
    return rows


@triton.jit
def move_each(at, distance):
    """Adds ``distance`` to each of the pointers in a tuple."""
    moved = ()
    for k in tl.static_range(len(at)):
        moved = moved + (at[k] + distance,)
    return moved


@triton.jit
def split_slots(at, slot, SLOTS: tl.constexpr):
    """Returns pointers to each of the slots of a tensor. A slot has ``slot`` numbers."""
    slots = ()
    for k in tl.static_range(SLOTS):
        slots = slots + (at + k * slot,)
    return slots


@triton.jit
def row_of_each(rows, ROW: tl.constexpr):
    """Returns one row of each of the tuples of rows that ``load_rows_of_each`` returned."""
    chosen = ()
    for k in tl.static_range(len(rows)):
        chosen = chosen + (rows[k][ROW],)
    return chosen


@triton.jit
def store_each(at, distance, values, mask):
    """Stores each of the values ``distance`` numbers after its pointers."""
    for k in tl.static_range(len(at)):
        tl.store(at[k] + distance, values[k], mask=mask)


@triton.jit
def zeros_of_each(COUNT: tl.constexpr, BLOCK: tl.constexpr, TYPE: tl.constexpr):
    """Returns a tuple of ``COUNT`` blocks of zeros."""
    zeros = ()
    for _ in tl.static_range(COUNT):
        zeros = zeros + (tl.zeros((BLOCK,), TYPE),)
    return zeros
