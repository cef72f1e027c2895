"""Binning: converts times to steps and places to cells, and steps to times.

Times are whole microseconds and steps are fractions, so bins are exact. In floating point
``floor(0.3 / 0.1)`` is 2, but with steps of 0.1 ms an event at 0.3 ms belongs to step 3.
"""

import math
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.arrays import MAX_REAL_INPUT

Rounding = Literal["nearest", "floor"]
Duplicates = Literal["or", "sum"]

MAX_STEP_MS = 1e6
MAX_TIME_MS = 4e9
"""46 days. Later times, in microseconds, could overflow 64 bits when they are binned."""
_MAX_EVENTS = 100_000_000
"""The largest number of events that a tensor is converted to, which takes about 3 GB. Without this
limit, one large value in the tensor could fill the memory.
"""


def require_choice(word: str, literal: Any) -> None:
    """Raises ValueError if ``word`` is not a value of the Literal type ``literal``."""
    if word not in get_args(literal):
        raise ValueError(f'"{word}" is unknown; known are {", ".join(get_args(literal))}')


def step_numbers(
    times_us: NDArray[np.int64], step_ms: float, rounding: Rounding
) -> NDArray[np.int64]:
    """Returns the step of each time: time / ``step_ms``, rounded down or to nearest (half to even).

    Times before 0 have negative steps. ValueError if ``step_ms`` is not above 0 and at most 1e6, or
    if ``rounding`` is unknown.
    """
    require_choice(rounding, Rounding)
    step_us = _step_us(step_ms)
    scaled, step = times_us * step_us.denominator, step_us.numerator
    if rounding == "floor":
        return scaled // step
    nearest, rest = np.divmod(2 * scaled + step, 2 * step)
    return nearest - ((rest == 0) & (nearest % 2 == 1))


def step_starts_us(steps: NDArray[np.int64], step_ms: float) -> NDArray[np.int64]:
    """Returns the first whole microsecond of each step.

    If a step is at least 2 µs long, ``step_numbers`` maps this time back to the same step with
    either rounding. ValueError if ``step_ms`` is not above 0 and at most 1e6.
    """
    step_us = _step_us(step_ms)
    return -(-steps * step_us.numerator // step_us.denominator)


def cell_numbers(
    x: NDArray, y: NDArray | None, p: NDArray, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the cell of each event in ``shape``, and whether the event lies inside.

    A cell is a row-major index. If the events have no ``y``, or if all ``y`` are 0 and the shape
    has one axis, the cell is ``x``. Otherwise it is the index of ``[p, y, x]`` in the shape
    [channels, height, width]; ValueError if the shape does not have three axes.
    """
    x = x.astype(np.int64)
    if y is None or (len(shape) == 1 and not y.any()):
        return x, (x >= 0) & (x < math.prod(shape))
    if len(shape) != 3:
        raise ValueError(
            f"these events have x, y and polarity, which index a shape [channels, height, width]; "
            f"the network's is {list(shape)}"
        )
    y, p = y.astype(np.int64), p.astype(np.int64)
    channels, height, width = shape
    is_inside = (p >= 0) & (p < channels) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return (p * height + y) * width + x, is_inside


def real_inputs(values: NDArray) -> NDArray[np.float32]:
    """Rounds to multiples of 1/64, halves to even, within ±512: products of weights are exact."""
    kind = np.result_type(values, np.float32)  # float32 holds what it scales by 64 as it is
    real = np.clip(values, -MAX_REAL_INPUT, MAX_REAL_INPUT, dtype=kind)
    real *= 64
    np.rint(real, out=real)
    return np.divide(real, 64, out=real).astype(np.float32, copy=False)


def event_counts(values: NDArray) -> NDArray[np.int64]:
    """Converts cell values to numbers of events.

    ValueError if a value is not a whole number above 0, or if the sum exceeds ``_MAX_EVENTS``.
    """
    is_wrong = ~((values > 0) & (values <= _MAX_EVENTS) & (values == np.trunc(values)))
    if is_wrong.any():
        raise ValueError(f"a cell holds {values[is_wrong][0]}, which is not a number of events")
    counts = values.astype(np.int64)
    if counts.sum() > _MAX_EVENTS:
        raise ValueError(f"these are {counts.sum():,} events; {_MAX_EVENTS:,} can be held")
    return counts


def _step_us(step_ms: float) -> Fraction:
    """Converts the length of a step to microseconds, as the exact fraction of its decimal digits.

    The denominator is limited, so that arithmetic with times of up to 46 days stays inside 64 bits.
    The limit also turns 0.3333333333333333 ms into exactly one third. ValueError if ``step_ms`` is
    out of range.
    """
    try:
        step_ms = float(step_ms)
    except (TypeError, ValueError):
        raise ValueError(f"the length of a step is a number of ms, not {step_ms!r}") from None
    if not 0 < step_ms <= MAX_STEP_MS:
        raise ValueError(f"a step of {step_ms} ms is not above 0 and at most {MAX_STEP_MS} ms")
    step_us = (Fraction(repr(step_ms)) * 1000).limit_denominator(1_000_000)
    if step_us == 0:
        raise ValueError(f"a step of {step_ms} ms is too short")
    return step_us
