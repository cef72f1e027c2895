"""Raster plots of one recording, or of two for comparison: a dot for each neuron and step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netdesc.events.container import Event
from netdesc.events.legend import add_legend
from netdesc.events.palette import BLUE, INK, ORANGE, Colour
from netdesc.events.raster_grid import Bins, Grid, RasterComparison, compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_VECTOR_DOTS = 20_000
"""If a colour has more dots, SVG and PDF files store its dots as pixels. (20,000 dots take 2 MB in
SVG.)
"""

_DOT_SIZE = 0.72
"""The diameter of a dot, relative to the height of a neuron's row."""
_MIN_POINTS, _MAX_POINTS = 0.54, 2.9
"""The limits of a dot's diameter in points. The smallest is 1.5 pixels, which is still visible."""
_HEIGHT_POINTS = 360
_LEGEND_POINTS = 6


class Raster:
    """A raster of one or two recordings on a grid of bins (one bin for each neuron and step).

    With two recordings, a bin is black if both recordings have spikes in it, orange if only the
    first has spikes, and blue if only the second has spikes. Reports draw output and target in the
    same colours. ``outside`` is the number of events outside the grid.
    """

    pixels = (1500, 1000)

    def __init__(self, recordings: Sequence[Event], names: Sequence[str], grid: Grid) -> None:
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
        """Draws a dot for each bin with a spike; time in ms runs to the right, neurons upward."""
        grid = self.grid
        for bins, colour, name in self._dot_series():
            step, neuron = grid.dots(bins)
            axes.plot(
                step * grid.step_ms,
                neuron,
                linestyle="",
                marker="o",
                markersize=self._diameter,
                markeredgewidth=0,
                color=colour,
                label=name,
                rasterized=len(step) > MAX_VECTOR_DOTS,
            )
        axes.set_xlim(-0.5 * grid.step_ms, (grid.steps - 0.5) * grid.step_ms)
        axes.set_ylim(-0.5, grid.neurons - 0.5)

    def label(self, axes: Axes) -> None:
        """Adds the names of the axes, a title, and a legend below the plot."""
        axes.set_xlabel("time (ms)")
        axes.set_ylabel("neuron")
        axes.set_title(" against ".join(self._names))
        add_legend(axes, markerscale=_LEGEND_POINTS / self._diameter)

    @property
    def _diameter(self) -> float:
        """The diameter of a dot in points."""
        height = _DOT_SIZE * _HEIGHT_POINTS / self.grid.neurons
        return min(_MAX_POINTS, max(_MIN_POINTS, height))

    def _dot_series(self) -> list[tuple[Bins, Colour, str]]:
        """Returns bins that are drawn in one colour, the colour, and their name in the legend."""
        comparison = self.comparison
        if comparison is None:
            count = len(self._bins[0])
            return [(self._bins[0], INK, "1 spike" if count == 1 else f"{count:,} spikes")]
        first, second = self._names
        return [
            (comparison.only_second, BLUE, f"only in {second}"),
            (comparison.only_first, ORANGE, f"only in {first}"),
            (comparison.both, INK, "in both"),
        ]
