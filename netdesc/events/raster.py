"""One recording, or two on top of each other, as a raster of dots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from netdesc.events.binning import Rounding
from netdesc.events.braille import DOTS_PER_COLUMN, DOTS_PER_LINE, braille
from netdesc.events.container import Event
from netdesc.events.palette import BLUE, INK, ORANGE, Colour
from netdesc.events.raster_grid import Bins, Comparison, Grid, compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_VECTOR_DOTS = 20_000
"""More dots of one colour are stored as pixels in files of lines and curves: 2 MB of SVG."""

_DOT = 0.72
"""Diameter of a dot in the heights of a neuron's line."""
_MIN_POINTS, _MAX_POINTS = 0.54, 2.9
"""Diameters of dots. The smallest is 1.5 pixels, and still seen."""
_HEIGHT_POINTS = 360
_LEGEND_POINTS = 6


class Layer(NamedTuple):
    """Spikes of one colour, with their name in the legend."""

    bins: Bins
    colour: Colour
    name: str


class Raster:
    """One or two recordings on a grid, with their names. PictureError as ``Grid.around``.

    Of two, the second is what the first is compared with. What only the first has is orange, what
    only the second has, and the first lacks, is blue, and spikes of both in one bin are black; a
    report shows output and target so.
    """

    pixels = (1500, 1000)

    def __init__(
        self,
        recordings: Sequence[Event],
        names: Sequence[str],
        *,
        step_ms: float = 1.0,
        rounding: Rounding = "nearest",
        neurons: int | None = None,
        until_ms: float | None = None,
    ) -> None:
        assert 1 <= len(recordings) == len(names) <= 2
        self.grid = Grid.around(
            *recordings, step_ms=step_ms, rounding=rounding, neurons=neurons, until_ms=until_ms
        )
        found = [self.grid.bins(recording) for recording in recordings]
        self.outside = sum(outside for _, outside in found)
        self._bins = [bins for bins, _ in found]
        self._names = names

    @property
    def comparison(self) -> Comparison | None:
        return compare(*self._bins) if len(self._bins) == 2 else None

    def draw(self, axes: Axes) -> None:
        """A dot for each spike; time in ms to the right, neurons upward."""
        grid = self.grid
        diameter = min(_MAX_POINTS, max(_MIN_POINTS, _DOT * _HEIGHT_POINTS / grid.neurons))
        for layer in self._layers():
            step, neuron = grid.dots(layer.bins)
            axes.plot(
                step * grid.step_ms,
                neuron,
                linestyle="",
                marker="o",
                markersize=diameter,
                markeredgewidth=0,
                color=layer.colour,
                label=layer.name,
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
        """The first recording in Braille patterns, at most so many characters."""
        width, height = columns * DOTS_PER_COLUMN, lines * DOTS_PER_LINE
        return braille(self.grid.pooled(self._bins[0], width, height)[::-1])

    def _layers(self) -> list[Layer]:
        shared = self.comparison
        if shared is None:
            return [Layer(self._bins[0], INK, self._names[0])]
        first, second = self._names
        return [
            Layer(shared.only_second, BLUE, f"only in {second}"),
            Layer(shared.only_first, ORANGE, f"only in {first}"),
            Layer(shared.both, INK, "in both"),
        ]
