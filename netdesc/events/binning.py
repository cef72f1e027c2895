"""From events to dense arrays of steps, and back.

Times are whole microseconds, so bins are computed in integers: in floating point
``floor(0.3 / 0.1)`` is 2, but the event belongs to step 3.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event

Rounding = Literal["nearest", "floor"]
Duplicates = Literal["or", "sum"]

_LONGEST_STEP_MS = 1e6
_MOST_EVENTS = 100_000_000
"""Some 3 GB of columns; a few bytes of a tensor could ask for any number."""


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
    require_choice(duplicates, Duplicates)
    flat, dropped = cells(event, shape, steps, step_ms, rounding)
    dense = np.zeros(steps * math.prod(shape), dtype=np.float32)
    if duplicates == "or":
        dense[flat] = 1.0
    else:
        np.add.at(dense, flat, np.float32(1.0))
    return dense.reshape(steps, *shape), dropped


def cells(
    event: Event, shape: tuple[int, ...], steps: int, step_ms: float, rounding: Rounding
) -> tuple[NDArray[np.int64], int]:
    """Where in ``[steps, *shape]``, counted in row-major order, each event inside it lies.

    Returns also the number of events outside. Places and errors are those of ``to_dense``.
    """
    place, inside = _places(event, shape)
    step = step_numbers(event, step_ms, rounding)
    inside &= (step >= 0) & (step < steps)
    flat = step[inside] * math.prod(shape) + place[inside]
    return flat, len(event) - len(flat)


def step_numbers(event: Event, step_ms: float, rounding: Rounding) -> NDArray[np.int64]:
    """The step of every event; below 0 for times before 0. ValueError as ``to_dense``."""
    require_choice(rounding, Rounding)
    unit = _step_us(step_ms)
    scaled, step = event.microseconds() * unit.denominator, unit.numerator
    if rounding == "floor":
        return scaled // step
    nearest, rest = np.divmod(2 * scaled + step, 2 * step)
    return nearest - ((rest == 0) & (nearest % 2 == 1))


def from_dense(spikes_TN: NDArray, step_ms: float, duplicates: Duplicates = "or") -> Event:
    """The events of ``[steps, *shape]``, ordered by time, then by cell.

    With ``or`` there is one for every nonzero cell; with ``sum`` a cell's value is the number of
    its events, and ValueError where that is no whole number from 0 on.

    With shape ``[C, H, W]`` events have x, y and p; otherwise ``x`` numbers the cells in row-major
    order, ``y`` is None and ``p`` is 0. A step that starts between two microseconds gets the later
    one, so that ``to_dense`` with the same step finds the same bin by either rounding (for steps of
    2 microseconds and more).
    """
    require_choice(duplicates, Duplicates)
    flat_TN = spikes_TN.reshape(len(spikes_TN), math.prod(spikes_TN.shape[1:]))
    step, cell = np.nonzero(flat_TN)
    if duplicates == "sum":
        count = _counts(flat_TN[step, cell])
        step, cell = step.repeat(count), cell.repeat(count)
    unit = _step_us(step_ms)
    microseconds = -(-step.astype(np.int64) * unit.numerator // unit.denominator)
    t = microseconds / 1000.0
    if spikes_TN.ndim != 4:
        return Event(cell.astype(np.int32), None, np.zeros(len(cell), np.int32), t)
    p, y, x = (axis.astype(np.int32) for axis in np.unravel_index(cell, spikes_TN.shape[1:]))
    return Event(x, y, p, t)


def require_choice(word: str, known: Any) -> None:
    """ValueError for a word that is none of a Literal's: it would silently mean another."""
    if word not in get_args(known):
        raise ValueError(f'"{word}" is unknown; known are {", ".join(get_args(known))}')


def _counts(values: NDArray) -> NDArray[np.int64]:
    wrong = ~((values > 0) & (values <= _MOST_EVENTS) & (values == np.trunc(values)))
    if wrong.any():
        raise ValueError(f"a cell of {values[wrong][0]} is no number of events")
    count = values.astype(np.int64)
    if count.sum() > _MOST_EVENTS:
        raise ValueError(f"these are {count.sum():,} events; {_MOST_EVENTS:,} can be held")
    return count


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
