"""Formats numbers, times and shapes for the report. NaN and None become a dash."""

import math
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NOTHING = "–"
TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))


def number(value: float | None) -> str:
    """Formats a number with four digits, or in full if it is large: 0.03416, 6.854e-08, 12,944."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    is_long = isinstance(value, int) or 1000 <= abs(value) < 1e15
    text = f"{value:,.0f}" if is_long else f"{value:.4g}"
    return text.replace("-", "−", 1) if value < 0 else text


def percent(share: float | None) -> str:
    """Formats a share as a percentage. Only 1 becomes 100 %, and only 0 becomes 0 %."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    if 0 < share < 0.0005:
        return "under 0.1 %"
    return f"{100 * share:,.{1 if 0 < share < 1 else 0}f} %"


def duration(seconds: float | None) -> str:
    """Formats a number of seconds in a suitable unit, from µs to hours."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    for unit, size in (("µs", 1e-6), ("ms", 1e-3), ("s", 1)):
        if seconds < (60 if unit == "s" else 1000 * size):
            return f"{seconds / size:.3g} {unit}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def shape(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))


def join_words(words: Sequence[str]) -> str:
    """Joins words in a list: ``a``, ``a and b``, ``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def spread(values: NDArray[np.floating], show: Callable[[float], str] = number) -> str:
    """Formats values: one value if all are equal, otherwise the mean with the range in brackets."""
    low, high = float(np.min(values)), float(np.max(values))
    if low == high or math.isnan(low):
        return show(low)
    return f"{show(float(np.mean(values)))}\n({show(low)} to {show(high)})"


def time_constant(decay: float, step_ms: float) -> str:
    """Formats the time after which 1/e is left if the share ``decay`` is lost per step."""
    if math.isnan(decay):
        return NOTHING
    if decay <= 0:
        return "∞ ms"
    return f"{number(0.0 if decay >= 1 else -step_ms / math.log1p(-decay))} ms"
