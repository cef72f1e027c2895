"""A raster plot: one recording, or two that are compared, as dots over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from netdesc.events.braille import DOTS_PER_COLUMN, DOTS_PER_LINE, braille
from netdesc.events.container import Event
from netdesc.events.palette import BLUE, INK, ORANGE, Colour
from netdesc.events.raster_grid import Bins, Grid, RasterComparison, compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_VECTOR_DOTS = 20_000
"""More dots of one colour are stored as pixels in SVG and PDF files (20,000 take 2 MB of SVG)."""

_DOT_SIZE = 0.72
"""Diameter of a dot; a neuron's row has height 1."""
_MIN_POINTS, _MAX_POINTS = 0.54, 2.9
"""Limits of a dot's diameter. The smallest is 1.5 pixels and still visible."""
_HEIGHT_POINTS = 360
_LEGEND_POINTS = 6


class DotSeries(NamedTuple):
    """Spikes of one colour, and their name in the legend."""

    bins: Bins
    colour: Colour
    name: str


class Raster:
    """One or two recordings on a grid, with their names.

    Bins with spikes of both are black, of the first only orange, and of the second only blue, as
    the output and the target are in a report. ``outside`` is the number of events outside the grid.
    """

    pixels = (1500, 1000)

    def __init__(
        self,
        recordings: Sequence[Event],
        names: Sequence[str],
        grid: Grid,
    ) -> None:
        assert 1 <= len(recordings) == len(names) <= 2
        self.grid = grid
        binned = [grid.bins(recording) for recording in recordings]
        self.outside = sum(outside for _, outside in binned)
        self._bins = [bins for bins, _ in binned]
        self._names = names

    @property
    def comparison(self) -> RasterComparison | None:
        return compare(*self._bins) if len(self._bins) == 2 else None

    def draw(self, axes: Axes) -> None:
        """Draws a dot for each spike; time in ms to the right, neurons upward."""
        grid = self.grid
        diameter = min(_MAX_POINTS, max(_MIN_POINTS, _DOT_SIZE * _HEIGHT_POINTS / grid.neurons))
        for series in self._dot_series():
            step, neuron = grid.dots(series.bins)
            axes.plot(
                step * grid.step_ms,
                neuron,
                linestyle="",
                marker="o",
                markersize=diameter,
                markeredgewidth=0,
                color=series.colour,
                label=series.name,
                rasterized=len(step) > MAX_VECTOR_DOTS,
            )
        axes.set_xlim(-0.5 * grid.step_ms, (grid.steps - 0.5) * grid.step_ms)
        axes.set_ylim(-0.5, grid.neurons - 0.5)
        axes.set_xlabel("time (ms)")
        axes.set_ylabel("neuron")
        if len(self._bins) == 1:
            axes.set_title(self._names[0])
        else:
            scale = _LEGEND_POINTS / diameter
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), markerscale=scale, frameon=False)

    def sketch(self, columns: int, lines: int) -> str:
        """The first recording in Braille, at most ``lines`` of ``columns`` characters."""
        width, height = columns * DOTS_PER_COLUMN, lines * DOTS_PER_LINE
        return braille(self.grid.pooled(self._bins[0], width, height)[::-1])

    def _dot_series(self) -> list[DotSeries]:
        comparison = self.comparison
        if comparison is None:
            return [DotSeries(self._bins[0], INK, self._names[0])]
        first, second = self._names
        return [
            DotSeries(comparison.only_second, BLUE, f"only in {second}"),
            DotSeries(comparison.only_first, ORANGE, f"only in {first}"),
            DotSeries(comparison.both, INK, "in both"),
        ]
