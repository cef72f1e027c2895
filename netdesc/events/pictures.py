"""Rasters and images of events, as PNG, SVG and PDF files that matplotlib draws.

Events of neurons become a raster: a dot for each neuron and step. Events with x and y become an
image, in which the colour of a pixel shows its events by polarity. The colours can be told apart
by colour-blind readers (Okabe and Ito, 2008).
"""

import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.diagnostics.wording import amount
from netdesc.events.binning import Rounding, cell_numbers
from netdesc.events.columns import EventChunks
from netdesc.events.file_errors import atomic_output_path
from netdesc.events.raster_grid import Bins, Grid, PictureError, RasterComparison, compare

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colour = tuple[float, float, float]
"""Red, green and blue, each from 0 to 1."""

INK: Colour = (0.08, 0.08, 0.08)
BLUE: Colour = (0.0, 0.447, 0.698)
ORANGE: Colour = (0.902, 0.624, 0.0)

MAX_SIDE = 4096
"""The largest width and height of an image, in pixels."""
MAX_VECTOR_DOTS = 20_000
"""If a colour has more dots, SVG and PDF files store its dots as pixels. (20,000 dots take 2 MB in
SVG.)
"""

_DPI = 200
_FIGURE_INCHES = (7.5, 5.0)
_MAX_NAME_LENGTH = 60
_MAX_LEGEND_CHARACTERS = 80
"""If all names of a legend together have more characters, each name has a line of its own."""
_DOT_SIZE = 0.72  # the diameter of a dot, relative to the height of a neuron's row
_MIN_POINTS, _MAX_POINTS = 0.54, 2.9
"""The limits of a dot's diameter in points. The smallest is 1.5 pixels, which is still visible."""
_HEIGHT_POINTS = 360
_LEGEND_POINTS = 6
_MIN_STRENGTH = 0.1
"""The lowest strength (0 to 1) of a pixel's colour, at which a single event is still visible."""
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Maps each format to metadata that are not written, so that equal spikes give equal bytes."""
FORMATS = tuple(_METADATA)


class Raster:
    """A raster of one or two recordings on a grid of bins (one bin for each neuron and step).

    With two recordings, a bin is black if both recordings have spikes in it, orange if only the
    first has spikes, and blue if only the second has spikes. Reports draw output and target in the
    same colours. ``outside`` is the number of events outside the grid.
    """

    def __init__(self, recordings: Sequence[EventChunks], names: Sequence[str], grid: Grid) -> None:
        assert 1 <= len(recordings) == len(names) <= 2
        self.grid = grid
        binned = [grid.bins(recording) for recording in recordings]
        self.outside = sum(outside for _, outside in binned)
        self._bins = [bins for bins, _ in binned]
        self._names = names

    @property
    def comparison(self) -> RasterComparison | None:
        return compare(*self._bins) if len(self._bins) == 2 else None

    def draw(self, axes: "Axes") -> None:
        """Draws a dot for each bin with a spike, with names of the axes, a title and a legend."""
        grid = self.grid
        diameter = min(_MAX_POINTS, max(_MIN_POINTS, _DOT_SIZE * _HEIGHT_POINTS / grid.neurons))
        dots = {"markersize": diameter, "markeredgewidth": 0}
        for bins, colour, name in self._dot_series():
            step, neuron = grid.dots(bins)
            is_large = len(step) > MAX_VECTOR_DOTS
            style: dict[str, Any] = {"color": colour, "label": name, "rasterized": is_large, **dots}
            axes.plot(step * grid.step_ms, neuron, "o", **style)
        axes.set_xlim(-0.5 * grid.step_ms, (grid.steps - 0.5) * grid.step_ms)
        axes.set_ylim(-0.5, grid.neurons - 0.5)
        axes.set(xlabel="time (ms)", ylabel="neuron", title=" against ".join(self._names))
        _add_legend(axes, markerscale=_LEGEND_POINTS / diameter)

    def _dot_series(self) -> list[tuple[Bins, Colour, str]]:
        """Returns bins that are drawn in one colour, the colour, and their name in the legend."""
        comparison = self.comparison
        if comparison is None:
            return [(self._bins[0], INK, amount(len(self._bins[0]), "spike"))]
        first, second = self._names
        return [
            (comparison.only_second, BLUE, f"only in {second}"),
            (comparison.only_first, ORANGE, f"only in {first}"),
            (comparison.both, INK, "in both"),
        ]


class Image:
    """An image of events with x and y: polarity 0 is orange, others are blue; row 0 is on top.

    ``outside`` is the number of events with a negative x or y, which are not drawn. PictureError if
    there are no events, or if width or height exceed ``MAX_SIDE``.
    """

    comparison = None

    def __init__(self, event: EventChunks, name: str) -> None:
        self._name = name
        self.width = self.height = 1
        for chunk in event.chunks():
            assert chunk.y is not None
            self.width = max(self.width, int(chunk.x.max()) + 1)
            self.height = max(self.height, int(chunk.y.max()) + 1)
        if max(self.width, self.height) > MAX_SIDE:
            raise PictureError(
                f"a picture of {self.width:,} × {self.height:,} pixels is too large; "
                f"{MAX_SIDE:,} are drawn in either direction"
            )
        self._counts_2HW = self.counts(event)
        inside = int(self._counts_2HW.sum())
        self.outside = sum(map(len, event.chunks())) - inside
        self.full_strength = int(self._counts_2HW.sum(axis=0).max())
        """The number of events of a pixel with the full colour; at first, the largest number."""

    def counts(self, part: EventChunks) -> NDArray[np.int64]:
        """Counts the events of each pixel, for a part of the recording.

        Returns [2, height, width]. Index 0 of the first axis is polarity 0, index 1 all others.
        """
        counts = np.zeros(2 * self.height * self.width, np.int64)
        for chunk in part.chunks():
            shape = 2, self.height, self.width
            cell, is_inside = cell_numbers(chunk.x, chunk.y, chunk.p != 0, shape)
            np.add.at(counts, cell[is_inside], 1)
        return counts.reshape(2, self.height, self.width)

    def rgb(self, counts_2HW: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Converts event counts [2, height, width] to colours [height, width, 3].

        The strength of a colour grows with the square root of the count, so that one event stays
        visible beside hundreds.
        """
        total_HW = counts_2HW.sum(axis=0)
        root_HW = np.sqrt(total_HW / max(self.full_strength, 1))
        strength_HW = np.where(total_HW > 0, _MIN_STRENGTH + (1 - _MIN_STRENGTH) * root_HW, 0)
        share_HW = counts_2HW[1] / np.maximum(total_HW, 1)
        colour_HW3 = share_HW[..., None] * (np.array(BLUE) - ORANGE) + ORANGE
        return np.rint(255 * (1 + strength_HW[..., None] * (colour_HW3 - 1))).astype(np.uint8)

    def draw(self, axes: "Axes") -> None:
        """Draws the image of all events, with names of the axes, a title and a legend."""
        from matplotlib.patches import Patch

        axes.imshow(self.rgb(self._counts_2HW), interpolation="nearest")
        axes.set(xlabel="x (pixels)", ylabel="y (pixels)", title=self._name)
        kinds = zip(self._counts_2HW, (ORANGE, BLUE), ("polarity 0", "polarity 1"), strict=True)
        patches = [
            Patch(color=colour, label=name) for counts, colour, name in kinds if counts.any()
        ]
        title = f"full colour: {amount(self.full_strength, 'event')} in a pixel"
        _add_legend(axes, patches, title=title)


def _add_legend(axes: "Axes", handles: "Sequence[Artist] | None" = None, **settings: Any) -> None:
    """Adds a legend of ``handles``, by default of all artists with a label."""
    handles = handles or axes.get_legend_handles_labels()[0]
    length = sum(len(str(handle.get_label())) for handle in handles)
    columns = len(handles) if length <= _MAX_LEGEND_CHARACTERS else 1
    settings |= {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "frameon": False}
    axes.legend(handles=handles, ncols=columns, **settings)


def make_picture(
    recordings: Sequence[EventChunks],
    names: Sequence[str],
    *,
    step_ms: float = 1.0,
    rounding: Rounding = "nearest",
    neurons: int | None = None,
    until_ms: float | None = None,
) -> Raster | Image:
    """Makes the picture of a recording, or the raster that compares two recordings.

    PictureError under the conditions of ``Grid.enclosing`` and ``Image``, and if a recording that
    would become an image is compared, or combined with ``neurons`` or ``until_ms``.
    """
    names = [_shorten_name(name) for name in names]
    chunks = (chunk for event in recordings for chunk in event.chunks())
    if not any(chunk.y is not None and chunk.y.any() for chunk in chunks):
        grid = Grid.enclosing(
            *recordings, step_ms=step_ms, rounding=rounding, neurons=neurons, until_ms=until_ms
        )
        return Raster(recordings, names, grid)
    if len(recordings) > 1 or neurons is not None or until_ms is not None:
        raise PictureError(
            "events with x and y are drawn as an image, which has no axis of neurons or time and "
            "cannot be compared with another"
        )
    return Image(recordings[0], names[0])


def save_picture(path: Path, drawn: Raster | Image) -> None:
    """Writes a picture in the format of the suffix, one of ``FORMATS``.

    The same spikes give the same bytes. EventFileError if the file cannot be written.
    """
    suffix = path.suffix.lower()
    with atomic_output_path(path) as temporary, default_style():
        # An image keeps its aspect ratio, for which the layout of the figure may lack the space.
        make_figure(drawn).savefig(
            temporary, format=suffix[1:], metadata=_METADATA[suffix], bbox_inches="tight"
        )


def make_figure(drawn: Raster | Image, dpi: int = _DPI) -> "Figure":
    """Makes the figure of a picture; needs ``default_style`` until it is rendered."""
    from matplotlib.figure import Figure

    figure = Figure(_FIGURE_INCHES, dpi, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    drawn.draw(axes)
    return figure


@contextmanager
def default_style() -> Generator[None, None, None]:
    """Replaces the user's style by matplotlib's defaults and silences messages about fonts."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # the first import logs that matplotlib builds its font cache
    import matplotlib.style

    settings = {
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": "netdesc",
        "text.parse_math": False,
    }
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        # A name may be in a script that the font lacks.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        try:
            yield
        finally:
            log.setLevel(level)


def _shorten_name(name: str) -> str:
    """Shortens a file's name and replaces unprintable characters, which XML cannot hold."""
    short = name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…"
    return "".join(each if each.isprintable() else "�" for each in short)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture or an animation. ``write`` writes it in the format of the file's suffix."""

    write: Callable[[Path], object]
    formats: tuple[str, ...]
    """The suffixes of the formats."""

    def save(self, path: str | Path) -> None:
        """Writes a file. Raises ValueError for other suffixes, EventFileError if it fails."""
        path = Path(path)
        if path.suffix.lower() not in self.formats:
            raise ValueError(f"{path}: the suffix must be one of {', '.join(self.formats)}")
        self.write(path)

    def content(self, suffix: str) -> bytes:
        """Returns the content of a file with this suffix."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"drawing{suffix}"
            self.write(path)
            return path.read_bytes()


class NotebookPicture(Drawing):
    """A picture, which a notebook displays as PNG."""

    @cached_property
    def png(self) -> bytes:
        """The content of the PNG file."""
        return self.content(".png")

    def _repr_png_(self) -> bytes:
        return self.png
