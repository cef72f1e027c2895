"""One recording, or two on top of each other, as a picture file or a sketch in text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from netdesc.events.binning import Rounding
from netdesc.events.braille import image_text, raster_text
from netdesc.events.container import Event
from netdesc.events.dots import Dots
from netdesc.events.grid import Comparison, Grid, PictureError, compare
from netdesc.events.images import POLARITIES, Counts, is_image, shaded
from netdesc.events.palette import INK, OUTPUT, TARGET, WHITE, shades
from netdesc.events.png import png
from netdesc.events.svg import Layer, image_svg, raster_svg

DOTS_SIZE = (1500, 1000)
"""Pixels, as the pictures of spikes that are shipped with netdesc."""
_IMAGE_SIDE = 768
"""Pixels, about. Cameras that record events have few, and each becomes a square of these."""


class Drawing(NamedTuple):
    """A picture file, and how many events are not in it."""

    content: bytes
    outside: int


class Raster:
    """One or two recordings on a grid, with their names.

    Of two, the second is what the first is compared with. What only the first has is orange, what
    only the second has, and the first lacks, is blue, and spikes of both in one bin are black
    (white on a dark page); a report shows output and target so. PictureError as ``Grid.around``.
    """

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

    def draw(self, suffix: str) -> Drawing:
        """A ``.png``, dots on white, or an ``.svg``, with axes."""
        shared = self.comparison
        if shared is None:
            layers, title = [Layer(self._bins[0], INK)], self._names[0]
        else:
            layers, title = self._layers(shared), ""
        return Drawing(_WRITERS[suffix](self.grid, layers, title), self.outside)

    def sketch(self, columns: int, lines: int) -> str:
        """The first recording in Braille patterns."""
        return raster_text(self.grid, self._bins[0], columns, lines)

    def _layers(self, shared: Comparison) -> list[Layer]:
        first, second = self._names
        return [
            Layer(shared.only_second, TARGET, f"only in {second}"),
            Layer(shared.only_first, OUTPUT, f"only in {first}"),
            Layer(shared.both, INK, "in both"),
        ]


class Image:
    """All events with x and y at once: polarity 1 is blue, polarity 0 orange. PictureError."""

    comparison = None

    def __init__(self, recording: Event, name: str) -> None:
        self._counts = Counts(recording)
        self._off_HW, self._on_HW = self._counts.within(slice(None))
        self._name = name

    def draw(self, suffix: str) -> Drawing:
        """A ``.png``, or an ``.svg`` with axes."""
        height, width = self._on_HW.shape
        shade_HW = shaded(self._off_HW, self._on_HW, int((self._off_HW + self._on_HW).max()))
        # The reader's program enlarges an SVG.
        scale = 1 if suffix == ".svg" else max(1, _IMAGE_SIDE // max(height, width))
        large_HW = shade_HW.repeat(scale, axis=0).repeat(scale, axis=1)
        content = png(large_HW, shades(WHITE, POLARITIES))
        if suffix == ".svg":
            content = image_svg(content, width, height, self._name).encode()
        return Drawing(content, self._counts.outside)

    def sketch(self, columns: int, lines: int) -> str:
        """The pixels with an event, in Braille patterns."""
        return image_text(self._off_HW + self._on_HW > 0, columns, lines)


def picture(
    recordings: Sequence[Event],
    names: Sequence[str],
    *,
    step_ms: float = 1.0,
    rounding: Rounding = "nearest",
    neurons: int | None = None,
    until_ms: float | None = None,
) -> Raster | Image:
    """What the recordings are best seen as. PictureError where that cannot be."""
    if not any(is_image(recording) for recording in recordings):
        return Raster(
            recordings, names, step_ms=step_ms, rounding=rounding, neurons=neurons,
            until_ms=until_ms,
        )  # fmt: skip
    if len(recordings) > 1 or neurons is not None or until_ms is not None:
        raise PictureError(
            "events with x and y are drawn as one picture, which has no neurons or time and is "
            "compared with nothing"
        )
    return Image(recordings[0], names[0])


def _dots_png(grid: Grid, layers: Sequence[Layer], title: str) -> bytes:
    dots = Dots(grid, *DOTS_SIZE)
    for colour, layer in enumerate(layers):
        dots.put(layer.bins, colour)
    return png(dots.shade_HW, shades(WHITE, [layer.tint.light for layer in layers]))


def _dots_svg(grid: Grid, layers: Sequence[Layer], title: str) -> bytes:
    return raster_svg(grid, layers, title).encode()


_WRITERS: dict[str, Callable[[Grid, Sequence[Layer], str], bytes]] = {
    ".png": _dots_png,
    ".svg": _dots_svg,
}
