"""Numbers, times and shapes as a reader wants them. NaN and None show as a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NOTHING = "–"


def number(value: float | None) -> str:
    """A number to four digits: 12,944 and 0.03416 and 6.854e-08."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    text = f"{value:,.0f}" if 1000 <= size < 1e15 else f"{value:.4g}"
    return text.replace("-", "−", 1) if value < 0 else text


def mean_and_deviation(values: NDArray[np.floating]) -> str:
    """``−0.181 ± 0.550``: the mean to as many places as the standard deviation needs."""
    mean, deviation = float(np.mean(values)), float(np.std(values))
    if not (math.isfinite(mean) and 1e-6 < deviation < 1e6):
        return f"{number(mean)} ± {number(deviation)}"
    places = max(0, 2 - math.floor(math.log10(deviation)))
    return f"{mean:,.{places}f} ± {deviation:,.{places}f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share as a percentage; only the whole is 100 %, and only nothing is 0 %."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    if 0 < share < 0.0005:
        return "under 0.1 %"
    return f"{100 * share:,.{1 if 0 < share < 1 else 0}f} %"


def duration(seconds: float | None) -> str:
    """A time span in the unit that suits it."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def shape(sizes: Sequence[int]) -> str:
    return "×".join(str(size) for size in sizes)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """``1 epoch``, ``2,000 epochs``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def spread(values: NDArray[np.floating] | Sequence[float]) -> str:
    """One number where all are equal, else the mean and, in brackets, the range."""
    low, high = float(np.min(values)), float(np.max(values))
    if low == high or math.isnan(low):
        return number(low)
    return f"{number(float(np.mean(values)))}\n({number(low)} to {number(high)})"


def time_constant_ms(decay: float, step_ms: float) -> float:
    """After how long what decays by the share ``decay`` a step has fallen to 1/e, in ms."""
    if decay >= 1:
        return 0.0
    return math.inf if decay <= 0 else -step_ms / math.log1p(-decay)


def time_constant(decay: float, step_ms: float) -> str:
    """The same in words."""
    if math.isnan(decay):
        return NOTHING
    constant = time_constant_ms(decay, step_ms)
    return f"{number(constant)} ms"


def time_constants(decays: NDArray[np.floating], step_ms: float) -> str:
    """That of the mean decay, for the mean of times is infinite as soon as one of them is.

    In brackets, where they differ, those of the lowest decay and of the highest.
    """
    low, high = float(np.min(decays)), float(np.max(decays))
    middle = time_constant(float(np.mean(decays)), step_ms)
    if low == high or math.isnan(low):
        return middle
    return f"{middle}\n({time_range(low, high, step_ms)})"


def time_range(low: float, high: float, step_ms: float) -> str:
    """``19.5 to 2.804 ms``: the time constants of two decays, in the order of the decays."""
    return f"{number(time_constant_ms(low, step_ms))} to {time_constant(high, step_ms)}"
