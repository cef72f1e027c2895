"""Writes recordings as an animation: GIF, MP4 or HTML.

Events of neurons are drawn as a raster, which grows from left to right. Events with x and y are
drawn as images: each frame shows the events in its part of the recording. Several recordings play
side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.events.animation_formats import WRITERS, Clip
from netdesc.events.container import Event
from netdesc.events.files import atomic_output_path
from netdesc.events.image import Image
from netdesc.events.limits import MAX_FRAMES
from netdesc.events.pictures import default_style, make_figure, make_pictures
from netdesc.events.raster import Raster
from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    import PIL.Image

FORMATS = tuple(WRITERS)
DEFAULT_FRAMES = 100
MAX_PIXELS = 200_000_000
"""The limit for the pixels of all frames, because Pillow holds all frames in memory."""

_RASTER_DPI = 96
_IMAGE_SIDE = 384
_GAP_PIXELS = 24
_US_PER_MS = 1000


@dataclass(frozen=True)
class Animation:
    """Properties of an animation that ``write_animation`` has written."""

    frames: int
    frame_ms: float
    """The part of the recording that one frame covers, in ms."""
    outside: int
    """The number of events that are not shown, because their time, neuron or pixel is negative."""


class _Panel(NamedTuple):
    """The part of each frame that shows one recording.

    ``draw(number)`` returns the part of frame ``number``. Frames are drawn from first to last.
    """

    size: tuple[int, int]
    draw: Callable[[int], PIL.Image.Image]


def write_animation(
    path: str | Path,
    *recordings: Event,
    names: Sequence[str] = (),
    step_ms: float | None = None,
    frames: int | None = None,
    fps: float = 20.0,
) -> Animation:
    """Writes recordings, side by side, with one frame per ``step_ms``, or with ``frames`` frames.

    The suffix of ``path``, one of ``FORMATS``, selects the format. ``names`` are titles of rasters,
    ``fps`` is the number of frames shown per second. PictureError if there is nothing to draw, if
    both ``step_ms`` and ``frames`` are given, if there are more than ``MAX_FRAMES`` frames or
    ``MAX_PIXELS`` pixels, or if the format needs a program that is missing; EventFileError if
    ``path`` cannot be written.
    """
    path = Path(path)
    shown = [_sort_from_zero(recording) for recording in recordings]
    if not any(len(event) for event in shown):
        raise PictureError("there are no events from time 0 on, so there is nothing to draw")
    duration_us = max(int(event.microseconds()[-1]) + 1 for event in shown if len(event))
    frame_us, count = _frame_length(duration_us, step_ms, frames)
    ends_us = frame_us * np.arange(1, count + 1)
    drawn = make_pictures(shown, names or [""] * len(shown), step_ms=1 / _US_PER_MS)
    panels = _panels(shown, drawn, ends_us)
    width = sum(panel.size[0] for panel in panels) + _GAP_PIXELS * (len(panels) - 1)
    height = max(panel.size[1] for panel in panels)
    if width * height * count > MAX_PIXELS:
        raise PictureError(
            f"{count} frames of {width} × {height} pixels are too many; take fewer frames"
        )
    clip = Clip((width, height), count, fps, _frames(panels, (width, height), count))
    with atomic_output_path(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, clip)
    outside = sum(map(len, recordings)) - sum(map(len, shown))
    return Animation(count, frame_us / _US_PER_MS, outside + sum(each.outside for each in drawn))


def _sort_from_zero(event: Event) -> Event:
    """Returns the events from time 0 on, sorted by time."""
    times_us = event.microseconds()
    order = np.argsort(times_us, kind="stable")
    order = order[np.searchsorted(times_us[order], 0) :]
    y = None if event.y is None else event.y[order]
    return Event(event.x[order], y, event.p[order], event.t[order])


def _frame_length(duration_us: int, step_ms: float | None, frames: int | None) -> tuple[int, int]:
    """Returns the length of a frame in microseconds, and the number of frames.

    PictureError if both arguments are given or there would be more than ``MAX_FRAMES`` frames.
    """
    if step_ms is not None and frames is not None:
        raise PictureError("the length of a frame follows from their number; give only one")
    frame_us = -(-duration_us // (frames or DEFAULT_FRAMES))
    if step_ms is not None:
        frame_us = round(step_ms * _US_PER_MS)
    count = -(-duration_us // frame_us)
    if count > MAX_FRAMES:
        raise PictureError(
            f"this would take {count:,} frames; at most {MAX_FRAMES} are possible. "
            f"Take longer steps or fewer frames"
        )
    return frame_us, count


def _panels(
    events: Sequence[Event], drawn: Sequence[Raster | Image], ends_us: NDArray[np.int64]
) -> list[_Panel]:
    """Makes the panel of each recording. All images have the same colour scale in all frames."""
    parts = [_split(event, ends_us) for event in events]
    counts = [
        int(picture.counts(part).sum(axis=0).max())
        for picture, own_parts in zip(drawn, parts, strict=True)
        if isinstance(picture, Image)
        for part in own_parts
    ]
    full_strength = max(counts, default=0)
    return [
        _image_panel(picture, own_parts, full_strength)
        if isinstance(picture, Image)
        else _raster_panel(picture, ends_us)
        for picture, own_parts in zip(drawn, parts, strict=True)
    ]


def _split(event: Event, ends_us: NDArray[np.int64]) -> list[slice]:
    """Returns for each frame the slice of ``event``, sorted by time, that the frame shows."""
    ends = np.searchsorted(event.microseconds(), ends_us).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _raster_panel(raster: Raster, ends_us: NDArray[np.int64]) -> _Panel:
    """Draws the whole raster once. Each frame shows its part from time 0 to the frame's end."""
    from PIL import Image as pillow

    with default_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = make_figure(raster)
        figure.set_dpi(_RASTER_DPI)
        canvas, (axes,) = FigureCanvasAgg(figure), figure.axes
        canvas.draw()
        whole = pillow.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
        ends = [(end / _US_PER_MS, 0) for end in ends_us.tolist()]
        edges = np.rint(axes.transData.transform(ends)[:, 0]).astype(int).tolist()
        figure.set_layout_engine("none")  # keeps the places of the first drawing
        axes.lines[0].set_visible(False)
        canvas.draw()
        empty = pillow.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")

    def draw(number: int) -> PIL.Image.Image:
        if number == len(edges) - 1:
            return whole
        frame = empty.copy()
        frame.paste(whole.crop((0, 0, edges[number], whole.height)))
        return frame

    return _Panel(whole.size, draw)


def _image_panel(image: Image, parts: Sequence[slice], full_strength: int) -> _Panel:
    """Makes a panel that shows in each frame an image of this frame's events only.

    ``parts`` are slices of the recording, one for each frame. A pixel with ``full_strength`` events
    has the full colour.
    """
    from PIL import Image as pillow

    size = image.enlarged(_IMAGE_SIDE)

    def draw(number: int) -> PIL.Image.Image:
        small = pillow.fromarray(image.rgb(image.counts(parts[number]), full_strength))
        return small.resize(size, pillow.Resampling.NEAREST)

    return _Panel(size, draw)


def _frames(
    panels: Sequence[_Panel], size: tuple[int, int], count: int
) -> Iterator[PIL.Image.Image]:
    """Yields the frames, grey (mode L) or in colours (mode RGB), with the panels side by side."""
    from PIL import Image as pillow

    for number in range(count):
        drawn = [panel.draw(number) for panel in panels]
        mode = "L" if all(each.mode == "L" for each in drawn) else "RGB"
        frame, left = pillow.new(mode, size, "white"), 0
        for each in drawn:
            frame.paste(each, (left, (size[1] - each.height) // 2))
            left += each.width + _GAP_PIXELS
        yield frame
