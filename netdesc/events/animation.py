"""A recording as an animated GIF: rasters appear from left to right, images play as frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event
from netdesc.events.files import whole_file
from netdesc.events.image import Image, is_image
from netdesc.events.pictures import figure_of, plain_style
from netdesc.events.raster import Raster
from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    import PIL.Image

MAX_FRAMES = 500
DEFAULT_FRAMES = 100
MAX_PIXELS = 200_000_000
"""Of all frames: Pillow keeps them until it writes, a byte each."""

_RASTER_DPI = 96
_IMAGE_SIDE = 384
_HOLD_MS = 1500
"""How long the last frame stays before the animation starts again."""
_US_PER_MS = 1000


@dataclass(frozen=True)
class Animation:
    """What was written, and how many events are not in it: those before 0 in time or place."""

    frames: int
    frame_ms: float
    """Of the recording's time, not of the reader's."""
    outside: int


class _Film(NamedTuple):
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
    """Writes the recording as a GIF file, of frames of ``step_ms`` or of so many ``frames``.

    Equal frames in a row are stored as one that stays longer. PictureError where there is nothing
    to draw, where both are given, or where there would be more than ``MAX_FRAMES`` frames or
    ``MAX_PIXELS`` pixels; EventFileError where ``path`` cannot be written.
    """
    recorded = _from_zero(event)
    if not len(recorded):
        raise PictureError("there are no events from time 0 on, so there is nothing to draw")
    us = recorded.microseconds()
    frame_us, count = _frames(int(us[-1]) + 1, step_ms, frames)
    ends_us = frame_us * np.arange(1, count + 1)
    film = (_played if is_image(recorded) else _revealed)(recorded, ends_us)
    width, height = film.size
    if width * height * count > MAX_PIXELS:
        raise PictureError(
            f"{count} frames of {width} × {height} pixels are too many; take fewer frames"
        )
    durations = [round(1000 / fps)] * (count - 1) + [_HOLD_MS]
    with whole_file(path) as temporary:
        next(film.frames).save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=film.frames,
            duration=durations,
            loop=0,
        )
    outside = len(event) - len(recorded) + film.outside
    return Animation(count, frame_us / _US_PER_MS, outside)


def _from_zero(event: Event) -> Event:
    """The events from time 0 on, in the order of time."""
    us = event.microseconds()
    order = np.argsort(us, kind="stable")
    order = order[np.searchsorted(us[order], 0) :]
    y = None if event.y is None else event.y[order]
    return Event(event.x[order], y, event.p[order], event.t[order])


def _frames(duration_us: int, step_ms: float | None, frames: int | None) -> tuple[int, int]:
    """The length of a frame in microseconds, and how many there are."""
    if step_ms is not None and frames is not None:
        raise PictureError("the length of a frame follows from their number; give only one")
    wanted = DEFAULT_FRAMES if frames is None else max(1, frames)
    frame_us = -(-duration_us // wanted) if step_ms is None else round(step_ms * _US_PER_MS)
    count = -(-duration_us // max(1, frame_us))
    if count > MAX_FRAMES:
        raise PictureError(
            f"this would take {count:,} frames, and {MAX_FRAMES} are made; take longer steps "
            f"or fewer frames"
        )
    return max(1, frame_us), count


def _revealed(event: Event, ends_us: NDArray[np.int64]) -> _Film:
    """The whole raster is drawn once, and shown up to the end of each frame."""
    from PIL import Image as pillow

    raster = Raster([event], [""], step_ms=1 / _US_PER_MS)
    with plain_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = figure_of(raster, has_axes=True)
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

    return _Film(whole.size, frames(), raster.outside)


def _played(event: Event, ends_us: NDArray[np.int64]) -> _Film:
    """A frame has the events of its time; all frames are on one scale."""
    from PIL import Image as pillow

    image = Image(event, "")
    size = image.enlarged(_IMAGE_SIDE)
    ends = np.searchsorted(event.microseconds(), ends_us).tolist()
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    most = max(int(image.counts(part).sum(axis=0).max()) for part in parts)

    def frames() -> Iterator[PIL.Image.Image]:
        for part in parts:
            small = pillow.fromarray(image.rgb(image.counts(part), most))
            yield small.quantize().resize(size, pillow.Resampling.NEAREST)

    return _Film(size, frames(), image.outside)
