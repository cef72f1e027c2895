"""Figures as plain JSON for plotly.js, which draws them in the reader's browser.

Colours are names of the style sheet (``var(--c1)``), so that one figure serves light and dark.
Names from the run reach plotly through ``plain``, for plotly reads a little markup in its texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.report import words
from netdesc.report.thinning import thin

MOST_POINTS = 1500
"""Of one curve: as many as a wide screen has columns."""
FEWEST_BINS, MOST_BINS = 12, 60
COLOURS = 6
DASHES = ("solid", "dash", "dot")
TICKS = ",~g"
"""Numbers on an axis in full, 20,000 and 0.002, unless they are very long."""


@dataclass(frozen=True)
class Plot:
    """One figure. ``alt`` says in a sentence what is to be seen; ``scales`` lets the reader change
    between a logarithmic and a linear axis."""

    title: str
    caption: str
    alt: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    scales: bool = False
    small: bool = False

    @property
    def is_logarithmic(self) -> bool:
        """At first, before the reader changes it."""
        return self.layout["yaxis"].get("type") == "log"

    @property
    def spec(self) -> dict[str, Any]:
        """What the script on the page draws."""
        return {"data": self.data, "layout": self.layout}


@dataclass(frozen=True, eq=False)
class Curve:
    """A named column over epochs. ``mark`` is the row to point out, the best one."""

    name: str
    values: NDArray[np.floating]
    mark: int | None = None


@dataclass(frozen=True)
class Level:
    """A named value to compare a curve with."""

    name: str
    value: float


def curves(
    title: str,
    caption: str,
    epochs: NDArray[np.int64],
    given: Sequence[Curve],
    *,
    unit: str,
    scales: bool = False,
    begins_linear: bool = False,
    share: bool = False,
    levels: Sequence[Level] = (),
) -> Plot:
    """Curves over epochs, thinned; on a logarithmic axis where ``scales`` and all is above 0.

    With ``begins_linear`` the reader has to ask for that axis. ``levels`` are lines across.
    """
    data: list[dict[str, Any]] = []
    for number, curve in enumerate(given):
        rows = thin(curve.values, MOST_POINTS)
        data.append(
            {
                "type": "scatter",
                "mode": "lines" if len(rows) > 1 else "markers",
                "name": plain(curve.name),
                "x": epochs[rows].tolist(),
                "y": numbers(curve.values[rows]),
                "line": _line(number),
                **_hover(curve.name, curve.values[rows], words.percent if share else words.number),
            }
        )
        if curve.mark is not None:
            data.append(_mark(curve, curve.mark, epochs, number, share))
    data += [_across(level, epochs) for level in levels]
    seen = np.concatenate([*(curve.values for curve in given), [each.value for each in levels]])
    above = seen[np.isfinite(seen)]
    can_be_logarithmic = scales and bool(len(above)) and bool(above.min() > 0)
    logarithmic = can_be_logarithmic and not begins_linear
    axis: dict[str, Any] = {
        "type": "log" if logarithmic else "linear",
        "title": {"text": unit},
        "tickformat": TICKS,
    }
    if share:
        lowest = math.floor(10 * above.min()) / 10 if len(above) else 0.0
        axis |= {"tickformat": ".0%", "range": [lowest, 1.02]}
    elif not logarithmic:
        axis |= {"rangemode": "tozero"}
    layout = {
        "xaxis": _epoch_axis(epochs),
        "yaxis": axis,
        "hovermode": "x unified",
        "showlegend": len(given) + len(levels) > 1,
    }
    alt = f"Curve of {title.lower()} over {len(epochs):,} epochs."
    return Plot(title, caption, alt, data, layout, scales=can_be_logarithmic)


def _hover(name: str, values: NDArray[np.generic], say: Callable[[float], str]) -> dict[str, Any]:
    """What is shown of a point under the pointer: ``training: 13,570``."""
    label = plain(name).replace("%", "&#37;")  # plotly would fill in a %{…}
    return {
        "customdata": [say(value) for value in values.tolist()],
        "hovertemplate": f"{label}: %{{customdata}}<extra></extra>",
    }


def _across(level: Level, epochs: NDArray[np.int64]) -> dict[str, Any]:
    """A thin line from the first epoch to the last."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(level.name),
        "x": [int(epochs[0]), int(epochs[-1])],
        "y": numbers(np.array([level.value] * 2)),
        "line": {"color": "var(--soft)", "width": 1.5, "dash": "dot"},
        **_hover(level.name, np.array([level.value] * 2), words.number),
    }


def _epoch_axis(epochs: NDArray[np.int64]) -> dict[str, Any]:
    """From the first epoch to the last, with whole numbers only."""
    first, last = int(epochs[0]), int(epochs[-1])
    room = max(0.5, 0.01 * (last - first))
    axis = {"title": {"text": "epoch"}, "range": [first - room, last + room], "tickformat": TICKS}
    return axis | ({"dtick": 1} if last - first < 10 else {})


def _mark(
    curve: Curve, row: int, epochs: NDArray[np.int64], number: int, share: bool
) -> dict[str, Any]:
    """A ring around the point of a row, which thinning may have left out."""
    value = float(curve.values[row])
    text = words.percent(value) if share else words.number(value)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "best",
        "x": [int(epochs[row])],
        "y": numbers(curve.values[row : row + 1]),
        "marker": {
            "color": "var(--paper)",
            "size": 10,
            "line": {"width": 2.5, "color": _line(number)["color"]},
        },
        "cliponaxis": False,
        "hovertemplate": f"best: {text}<extra></extra>",
        "showlegend": False,
    }


@dataclass(frozen=True, eq=False)
class Heap:
    """Named values of which a histogram is drawn."""

    name: str
    values: NDArray[np.floating]


def histogram(title: str, caption: str, heaps: Sequence[Heap], *, unit: str) -> Plot:
    """Histograms of one or several sets of values over the same bins, as outlines."""
    kept = [_finite(heap.values) for heap in heaps]
    low, high = _limits(kept)
    bins = min(MOST_BINS, max(FEWEST_BINS, math.isqrt(2 * max(map(len, kept)))))
    data: list[dict[str, Any]] = []
    for number, (heap, values) in enumerate(zip(heaps, kept, strict=True)):
        counts, edges = np.histogram(values, bins, (low, high))
        # An outline that comes down to 0 at both ends.
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": plain(heap.name),
                "x": numbers(np.append(edges, edges[-1])),
                "y": [*counts.tolist(), 0, 0],
                "line": {**_line(number), "shape": "hv", "width": 1.5},
                "fill": "tozeroy",
                "fillcolor": f"var(--f{number % COLOURS + 1})",
                **_hover(heap.name, np.append(counts, [0, 0]), words.number),
            }
        )
    layout = {
        "xaxis": {"title": {"text": unit}},
        "yaxis": {"title": {"text": "count"}, "rangemode": "tozero", "tickformat": TICKS},
        "hovermode": "x unified",
        "showlegend": len(heaps) > 1,
    }
    names = " and ".join(heap.name for heap in heaps)
    alt = f"Histogram of {title}: {names}."
    return Plot(title, caption, alt, data, layout, small=True)


def _finite(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The finite ones, so far from the largest there is that their range is finite, too."""
    return np.clip(values[np.isfinite(values)].astype(np.float64), -1e300, 1e300)


def _limits(kept: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """The range of all values, never empty, and finite in width."""
    some = [values for values in kept if len(values)]
    if not some:
        return 0.0, 1.0
    low, high = (float(each) for each in (min(map(np.min, some)), max(map(np.max, some))))
    room = max(abs(low), abs(high), 1e-12) * 0.05
    return (low - room, high + room) if high - low < 1e-9 * room else (low, high)


def bars(title: str, caption: str, values: NDArray[np.floating], label: int | None) -> Plot:
    """A bar a class, the right one in another colour."""
    colours = ["var(--c2)" if number == label else "var(--c1)" for number in range(len(values))]
    data = [
        {
            "type": "bar",
            "x": list(range(len(values))),
            "y": numbers(values),
            "marker": {"color": colours},
            "customdata": [words.number(value) for value in values.tolist()],
            "hovertemplate": "class %{x}: %{customdata}<extra></extra>",
        }
    ]
    layout = {
        "xaxis": {"title": {"text": "class"}, **({"dtick": 1} if len(values) <= 30 else {})},
        "yaxis": {"title": {"text": "spikes a step"}, "rangemode": "tozero"},
        "showlegend": False,
    }
    return Plot(title, caption, f"Bar chart of {title.lower()}.", data, layout, small=True)


def _line(number: int) -> dict[str, Any]:
    """Six colours, and other dashes when they are used up."""
    dash = DASHES[number // COLOURS % len(DASHES)]
    return {"color": f"var(--c{number % COLOURS + 1})", "width": 2, "dash": dash}


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Numbers for JSON, to six digits; None (a gap) where there is no finite number."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]


def plain(text: str) -> str:
    """A text that plotly shows as it is: it would otherwise read tags in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
