"""The limits of the arguments with which events are drawn and binned.

The options of ``netdesc.cli.events`` repeat them, because ``--help`` does not load numpy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

from netdesc.description.files.event_files import MAX_TIME_MS
from netdesc.events.binning import MAX_STEP_MS

MAX_FRAMES = 500
"""The largest number of frames of an animation."""


class _Limit(NamedTuple):
    low: float
    high: float
    is_whole: bool = False
    is_open: bool = False
    """Whether ``low`` itself is not allowed."""

    @property
    def text(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        low = f"above {self.low:g}" if self.is_open else f"from {self.low:g}"
        return f"{kind} {low}" + (f" to {self.high:,.10g}" if math.isfinite(self.high) else "")


LIMITS = {
    "step_ms": _Limit(0.001, MAX_STEP_MS),
    "until_ms": _Limit(0, MAX_TIME_MS, is_open=True),
    "neurons": _Limit(1, math.inf, is_whole=True),
    "frames": _Limit(1, MAX_FRAMES, is_whole=True),
    "fps": _Limit(0.1, 50),
    "steps": _Limit(0, 1_000_000, is_whole=True),
}


def within_limits(**values: object) -> dict[str, Any]:
    """Returns the arguments as Python numbers; None stays None.

    ValueError, which names the limits, if an argument is no number or beyond them.
    """
    return {name: None if value is None else _number(name, value) for name, value in values.items()}


def shape_sizes(shape: Iterable[Any]) -> tuple[int, ...]:
    """Returns the sizes of a shape as integers. ValueError if one is no whole number from 0."""
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = (-1,)
    if any(size < 0 for size in sizes):
        raise ValueError(f"a shape is a tuple of whole numbers such as (200,), not {shape!r}")
    return sizes


def _number(name: str, value: Any) -> float:
    limit = LIMITS[name]
    try:
        number = operator.index(value) if limit.is_whole else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not limit.low <= number <= limit.high or (limit.is_open and number == limit.low):
        raise ValueError(f"{name} must be {limit.text}, not {value!r}")
    return number
