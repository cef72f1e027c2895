"""Writes a recording as an animated GIF.

Events of neurons are drawn as a raster, which grows from left to right. Events with x and y are
drawn as images: each frame shows the events in its part of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event
from netdesc.events.files import atomic_output_path
from netdesc.events.image import Image, is_image
from netdesc.events.pictures import default_style, make_figure
from netdesc.events.raster import Raster
from netdesc.events.raster_grid import Grid, PictureError

if TYPE_CHECKING:
    import PIL.Image

MAX_FRAMES = 500
DEFAULT_FRAMES = 100
MAX_PIXELS = 200_000_000
"""The limit for the pixels of all frames, because Pillow holds all frames in memory."""

_RASTER_DPI = 96
_IMAGE_SIDE = 384
_HOLD_MS = 1500
"""The duration of the last frame, after which the animation repeats."""
_US_PER_MS = 1000


@dataclass(frozen=True)
class Animation:
    """Properties of a GIF file that ``write_gif`` has written."""

    frames: int
    frame_ms: float
    """The part of the recording that one frame covers, in ms."""
    outside: int
    """The number of events that are not shown, because their time, neuron or pixel is negative."""


class _GifFrames(NamedTuple):
    size: tuple[int, int]
    frames: Iterator[PIL.Image.Image]
    outside: int


def write_gif(
    path: str | Path,
    event: Event,
    *,
    step_ms: float | None = None,
    frames: int | None = None,
    fps: float = 20.0,
) -> Animation:
    """Writes the recording as a GIF file with one frame per ``step_ms``, or with ``frames`` frames.

    ``fps`` is the number of frames shown per second. Equal consecutive frames are stored as one
    longer frame. PictureError if there is nothing to draw, if both ``step_ms`` and ``frames`` are
    given, or if there are more than ``MAX_FRAMES`` frames or ``MAX_PIXELS`` pixels; EventFileError
    if ``path`` cannot be written.
    """
    shown = _sort_from_zero(event)
    if not len(shown):
        raise PictureError("there are no events from time 0 on, so there is nothing to draw")
    duration_us = int(shown.microseconds()[-1]) + 1
    frame_us, count = _frame_length(duration_us, step_ms, frames)
    ends_us = frame_us * np.arange(1, count + 1)
    gif = (_image_frames if is_image(shown) else _raster_frames)(shown, ends_us)
    width, height = gif.size
    if width * height * count > MAX_PIXELS:
        raise PictureError(
            f"{count} frames of {width} × {height} pixels are too many; take fewer frames"
        )
    durations = [round(1000 / fps)] * (count - 1) + [_HOLD_MS]
    with atomic_output_path(path) as temporary:
        next(gif.frames).save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=gif.frames,
            duration=durations,
            loop=0,
        )
    outside = len(event) - len(shown) + gif.outside
    return Animation(count, frame_us / _US_PER_MS, outside)


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
    target_count = DEFAULT_FRAMES if frames is None else max(1, frames)
    frame_us = -(-duration_us // target_count) if step_ms is None else round(step_ms * _US_PER_MS)
    count = -(-duration_us // max(1, frame_us))
    if count > MAX_FRAMES:
        raise PictureError(
            f"this would take {count:,} frames; at most {MAX_FRAMES} are possible. "
            f"Take longer steps or fewer frames"
        )
    return max(1, frame_us), count


def _raster_frames(event: Event, ends_us: NDArray[np.int64]) -> _GifFrames:
    """Draws the whole raster once. Each frame shows its part from time 0 to the frame's end."""
    from PIL import Image as pillow

    raster = Raster([event], [""], Grid.enclosing(event, step_ms=1 / _US_PER_MS))
    with default_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = make_figure(raster, has_axes=True)
        figure.set_dpi(_RASTER_DPI)
        canvas, (axes,) = FigureCanvasAgg(figure), figure.axes
        canvas.draw()
        whole = pillow.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
        edges = axes.transData.transform([(end / _US_PER_MS, 0) for end in ends_us.tolist()])[:, 0]
        axes.lines[0].set_visible(False)
        canvas.draw()
        empty = pillow.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")

    def frames() -> Iterator[PIL.Image.Image]:
        for edge in edges[:-1]:
            frame = empty.copy()
            frame.paste(whole.crop((0, 0, round(edge), whole.height)))
            yield frame
        yield whole

    return _GifFrames(whole.size, frames(), raster.outside)


def _image_frames(event: Event, ends_us: NDArray[np.int64]) -> _GifFrames:
    """Draws one image of the events of each frame. All frames have the same colour scale."""
    from PIL import Image as pillow

    image = Image(event, "")
    size = image.enlarged(_IMAGE_SIDE)
    ends = np.searchsorted(event.microseconds(), ends_us).tolist()
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    max_count = max(int(image.counts(part).sum(axis=0).max()) for part in parts)

    def frames() -> Iterator[PIL.Image.Image]:
        for part in parts:
            small = pillow.fromarray(image.rgb(image.counts(part), max_count))
            yield small.quantize().resize(size, pillow.Resampling.NEAREST)

    return _GifFrames(size, frames(), image.outside)
