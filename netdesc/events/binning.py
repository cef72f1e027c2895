"""From events to dense arrays of steps, and back.

Times are whole microseconds, so bins are computed in integers: in floating point
``floor(0.3 / 0.1)`` is 2, but the event belongs to step 3.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event

Rounding = Literal["nearest", "floor"]
Duplicates = Literal["or", "sum"]

_LONGEST_STEP_MS = 1e6


def to_dense(
    event: Event,
    shape: tuple[int, ...],
    steps: int,
    step_ms: float,
    rounding: Rounding = "nearest",
    duplicates: Duplicates = "or",
) -> tuple[NDArray[np.float32], int]:
    """Bins events into ``[steps, *shape]`` and counts those that fall outside.

    The step is ``t / step_ms``, rounded to the nearest (half to even) or down. For shape ``[N]``
    the place is ``x``; polarity is ignored. For more axes, events without ``y`` number the cells in
    row-major order, and events with ``y`` index a shape ``[C, H, W]`` as ``[p, y, x]``. Two events
    in one cell give 1 (``or``) or are counted (``sum``).

    Returns the float32 array and the number of events outside it. ValueError where events with
    ``y`` meet a shape that is not ``[C, H, W]``, or a step is not above 0 and at most 1e6 ms.
    """
    place, inside = _places(event, shape)
    step = _steps(event.microseconds(), step_ms, rounding)
    inside &= (step >= 0) & (step < steps)
    cells = math.prod(shape)
    dense = np.zeros(steps * cells, dtype=np.float32)
    flat = step[inside] * cells + place[inside]
    if duplicates == "or":
        dense[flat] = 1.0
    else:
        np.add.at(dense, flat, np.float32(1.0))
    return dense.reshape(steps, *shape), len(event) - int(inside.sum())


def from_dense(spikes_TN: NDArray, step_ms: float) -> Event:
    """One event for every nonzero cell of ``[steps, *shape]``, ordered by time, then by cell.

    With shape ``[C, H, W]`` events have x, y and p; otherwise ``x`` numbers the cells in row-major
    order, ``y`` is None and ``p`` is 0. A step that starts between two microseconds gets the later
    one, so that ``to_dense`` with the same step finds the same bin by either rounding (for steps of
    2 microseconds and more).
    """
    step, cell = np.nonzero(spikes_TN.reshape(len(spikes_TN), -1))
    unit = _step_us(step_ms)
    microseconds = -(-step.astype(np.int64) * unit.numerator // unit.denominator)
    t = microseconds / 1000.0
    if spikes_TN.ndim != 4:
        return Event(cell.astype(np.int32), None, np.zeros(len(cell), np.int32), t)
    p, y, x = (axis.astype(np.int32) for axis in np.unravel_index(cell, spikes_TN.shape[1:]))
    return Event(x, y, p, t)


def _places(event: Event, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The row-major cell of every event, and whether it lies inside ``shape``."""
    x = event.x.astype(np.int64)
    if event.y is None or (len(shape) == 1 and not event.y.any()):
        return x, (x >= 0) & (x < math.prod(shape))
    if len(shape) != 3:
        raise ValueError(
            f"these events have x, y and polarity, which index a shape [channels, height, width]; "
            f"the network's is {list(shape)}"
        )
    y, p = event.y.astype(np.int64), event.p.astype(np.int64)
    channels, height, width = shape
    inside = (p >= 0) & (p < channels) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return (p * height + y) * width + x, inside


def _steps(microseconds: NDArray[np.int64], step_ms: float, rounding: Rounding) -> NDArray:
    unit = _step_us(step_ms)
    scaled, step = microseconds * unit.denominator, unit.numerator
    if rounding == "floor":
        return scaled // step
    nearest, rest = np.divmod(2 * scaled + step, 2 * step)
    return nearest - ((rest == 0) & (nearest % 2 == 1))


def _step_us(step_ms: float) -> Fraction:
    """The step in microseconds, as the decimal number that the user wrote.

    The denominator is bounded so that times of 46 days stay inside 64 bits; it turns
    0.3333333333333333 ms into exactly a third.
    """
    if not 0 < step_ms <= _LONGEST_STEP_MS:
        raise ValueError(f"a step of {step_ms} ms is not above 0 and at most {_LONGEST_STEP_MS} ms")
    step = (Fraction(repr(float(step_ms))) * 1000).limit_denominator(1_000_000)
    if step == 0:
        raise ValueError(f"a step of {step_ms} ms is too short")
    return step
