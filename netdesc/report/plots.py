"""Builds figures as JSON for plotly.js, which draws the figures in the browser.

Colours are CSS variables (``var(--c1)``), so that a figure works in light and dark mode. Names from
the run are escaped, because plotly interprets some HTML in texts.
"""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.description.diagnostics.wording import amount
from netdesc.report import format

MAX_LEGEND_CHARACTERS = 32
MAX_POINTS = 1500
"""The largest number of points of a curve, about the width of a screen in pixels."""
MIN_BINS, MAX_BINS = 12, 60
COLOURS = 6
DASHES = ("solid", "dash", "dot")
TICK_FORMAT = ",~g"
"""The format of numbers on an axis: in full (20,000 and 0.002), unless they are very long."""

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Plot:
    """One figure. ``alt`` describes it for screen readers; ``has_scale_button`` adds a button that
    switches between a logarithmic and a linear axis."""

    title: str
    caption: str
    alt: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    has_scale_button: bool = False
    is_small: bool = False

    @property
    def is_logarithmic(self) -> bool:
        """Whether the axis is logarithmic when the page opens."""
        return self.layout["yaxis"].get("type") == "log"

    @property
    def spec(self) -> dict[str, Any]:
        """The figure as an object for plotly.js."""
        return {"data": self.data, "layout": self.layout}


class Curve(NamedTuple):
    """A named column over epochs. ``mark`` is the row of the best epoch, drawn with a ring."""

    name: str
    values: Values
    mark: int | None = None


def curves(
    title: str,
    epochs: NDArray[np.int64],
    columns: Sequence[Curve],
    unit: str,
    caption: str = "",
    scale: str = "linear",
    levels: dict[str, float] | None = None,
) -> Plot:
    """Plots downsampled curves over epochs, and named ``levels`` as horizontal lines.

    ``scale`` is "linear", "percent" (for shares), "log", or "log on demand" (linear at first). With
    the last two, a button switches between logarithmic and linear. If a value is 0 or less, the
    axis is always linear.
    """
    levels = levels or {}
    show = format.percent if scale == "percent" else format.number
    data: list[dict[str, Any]] = []
    for index, (name, values, mark) in enumerate(columns):
        rows, style = downsample(values, MAX_POINTS), line_style(index)
        mode = "lines" if len(rows) > 1 else "markers"
        data.append(_trace(name, epochs[rows], values[rows], show, mode=mode, line=style))
        if mark is not None:  # downsampling may have left out the point inside the ring
            line = {"width": 2.5, "color": style["color"]}
            marker = {"color": "var(--paper)", "size": 10, "line": line}
            ring = _trace("best", epochs[[mark]], values[[mark]], show, mode="markers")
            data.append(ring | {"marker": marker, "cliponaxis": False, "showlegend": False})
    for name, level in levels.items():
        line = {"color": "var(--soft)", "width": 1.5, "dash": "dot"}
        data.append(_trace(name, epochs[[0, -1]], np.full(2, level), show, mode="lines", line=line))
    all_values = np.concatenate([*(curve.values for curve in columns), [*levels.values()]])
    finite = all_values[np.isfinite(all_values)]
    can_be_logarithmic = scale.startswith("log") and len(finite) > 0 and bool(finite.min() > 0)
    y_axis = axis(unit, type="linear")
    if scale == "percent":
        lowest = math.floor(10 * finite.min()) / 10 if len(finite) else 0.0
        y_axis |= {"tickformat": ".0%", "range": [lowest, 1.02]}
    elif can_be_logarithmic and scale == "log":
        y_axis["type"] = "log"
    else:
        y_axis["rangemode"] = "tozero"
    layout = time_layout(_epoch_axis(epochs), y_axis, has_legend=len(columns) + len(levels) > 1)
    alt = f"Curve of {title.lower()} over {amount(len(epochs), 'epoch')}"
    for name, values, mark in columns:
        alt += f"; {name} from {show(values[0])} to {show(values[-1])}"
        alt += "" if mark is None else f", best {show(values[mark])} in epoch {epochs[mark]:,}"
    return Plot(title, caption, f"{alt}.", data, layout, has_scale_button=can_be_logarithmic)


def histogram(title: str, series: Mapping[str, Values], counted: str, unit: str) -> Plot:
    """Plots the outlines of one or several histograms of ``counted``, all with the same bins."""
    finite = [  # clipped, so that their range is finite, too
        np.clip(values[np.isfinite(values)].astype(np.float64), -1e300, 1e300)
        for values in series.values()
    ]
    bins = min(MAX_BINS, max(MIN_BINS, math.isqrt(2 * max(map(len, finite)))))
    limits = _limits(np.concatenate(finite))
    data: list[dict[str, Any]] = []
    for index, (name, values) in enumerate(zip(series, finite, strict=True)):
        counts, edges = np.histogram(values, bins, limits)
        # The outline returns to 0 at the end.
        x, y = np.append(edges, edges[-1]), np.append(counts, [0, 0])
        line = {**line_style(index), "shape": "hv", "width": 1.5}
        fill = {"fill": "tozeroy", "fillcolor": f"var(--f{index % COLOURS + 1})"}
        data.append(_trace(name, x, y, format.number, mode="lines", line=line) | fill)
    is_low = max(max(outline["y"]) for outline in data) < 5
    y_axis = axis(counted, rangemode="tozero") | ({"dtick": 1} if is_low else {})
    layout = time_layout({"title": {"text": unit}}, y_axis, has_legend=len(series) > 1)
    alt = f"Histogram of {title}: {' and '.join(series)}."
    return Plot(title, "", alt, data, layout, is_small=True)


def bars(title: str, caption: str, values: Values, label: int | None, unit: str) -> Plot:
    """Plots one bar per class; the bar of ``label`` has another colour."""
    classes = np.arange(len(values))
    colours = ["var(--c2)" if each == label else "var(--c1)" for each in classes]
    data = _trace("class %{x}", classes, values, format.number, marker={"color": colours})
    layout = {
        "xaxis": {"title": {"text": "class"}, **({"dtick": 1} if len(values) <= 30 else {})},
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero"},
        "showlegend": False,
    }
    alt = f"Bar chart of {title.lower()}."
    return Plot(title, caption, alt, [data | {"type": "bar"}], layout, is_small=True)


def _trace(
    name: str, x: NDArray[Any], y: NDArray[Any], show: Callable[[float], str], **style: Any
) -> dict[str, Any]:
    """Returns a plotly curve. Its hover text is, for example, ``training: 13,570``."""
    custom = [show(value) for value in y.tolist()]
    return scatter(name, x, y, "customdata", customdata=custom, **style)


def time_curve(name: str, values: Values, step_ms: float, line: dict[str, Any]) -> dict[str, Any]:
    """Returns a plotly curve of ``values`` [steps] over the time in ms, downsampled."""
    rows = downsample(values, MAX_POINTS)
    return scatter(name, rows * step_ms, values[rows], "y:.4g", mode="lines", line=line)


def scatter(
    name: str, x: NDArray[Any], y: NDArray[Any], hover: str, **style: Any
) -> dict[str, Any]:
    short, half = name, MAX_LEGEND_CHARACTERS // 2
    if len(name) > 2 * half:  # plotly cuts off at the right what is wider than a phone
        short = f"{name[:half]}…{name[-half:]}"
    return {
        "type": "scatter",
        "name": html.escape(short, quote=False),
        "x": numbers(x),
        "y": numbers(y),
        "hovertemplate": f"{html.escape(name, quote=False)}: %{{{hover}}}<extra></extra>",
        **style,
    }


def _epoch_axis(epochs: NDArray[np.int64]) -> dict[str, Any]:
    """Returns an axis from the first epoch to the last. Up to 10 epochs are labelled one by one."""
    first, last = int(epochs[0]), int(epochs[-1])
    margin = max(0.5, 0.01 * (last - first))
    ends = [first - margin, last + margin]
    return axis("epoch", range=ends) | ({"dtick": 1} if last - first < 10 else {})


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """Returns an axis of numbers for plotly."""
    return {"title": {"text": title}, "tickformat": TICK_FORMAT, **settings}


def time_layout(
    x: dict[str, Any], y: dict[str, Any], *, has_legend: bool = True, **more: Any
) -> dict[str, Any]:
    """Returns the layout of a figure whose curves are read off together at the mouse."""
    return {"xaxis": x, "yaxis": y, "hovermode": "x unified", "showlegend": has_legend, **more}


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the range of the values, widened if all are equal; (0, 1) if there are no values."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = max(abs(low), abs(high), 1e-12) * 0.05
    return (low - margin, high + margin) if high - low < 1e-9 * margin else (low, high)


def line_style(index: int, width: float = 2) -> dict[str, Any]:
    """Returns the style of curve ``index``: six colours, then the same colours with dashes."""
    dash = DASHES[index // COLOURS % len(DASHES)]
    return {"color": f"var(--c{index % COLOURS + 1})", "width": width, "dash": dash}


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Converts numbers for JSON, rounded to six digits; infinity and NaN become None (a gap)."""
    if values.dtype.kind in "iu":
        return values.tolist()
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]


def downsample(values: NDArray[np.floating], max_points: int) -> NDArray[np.intp]:
    """Selects at most ``max_points`` (4 or more) values that represent a curve.

    Returns the sorted indices of the selected values: the first and the last value, and minimum and
    maximum of each interval, so that no peak is lost. NaN is selected only if a whole interval is
    NaN.
    """
    assert max_points >= 4
    count = len(values)
    if count <= max_points:
        return np.arange(count)
    length = -(-count // ((max_points - 2) // 2))
    padded = np.full(length * -(-count // length), np.nan)
    padded[:count] = values
    rows = padded.reshape(-1, length)
    starts = np.arange(len(rows)) * length
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.concatenate([[0], starts + lowest, starts + highest, [count - 1]]))
