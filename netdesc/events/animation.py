"""A recording as an animated GIF: a raster is revealed from left to right, images play as frames.

Pillow writes the file; it comes with ``pip install "netdesc[gif]"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event
from netdesc.events.dots import Dots
from netdesc.events.files import whole_file
from netdesc.events.grid import Grid, PictureError
from netdesc.events.images import POLARITIES, Counts, is_image, shaded
from netdesc.events.palette import FAINT, FULL, INK, WHITE, Colour, shade, shades

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_FRAMES = 500
USUAL_FRAMES = 100
MOST_PIXELS = 200_000_000
"""Of all frames: Pillow keeps them until it writes, a byte each."""

_RASTER_SIZE = (720, 480)
_IMAGE_SIDE = 384
_HOLD_MS = 1500
"""How long the last frame stays before the animation starts again."""
_SPIKES, _CURSOR = 0, 1
_US_PER_MS = 1000


class PillowMissing(ImportError):
    """The package that writes GIF files is not installed."""

    exit_code = 3


@dataclass(frozen=True)
class Animation:
    """What was written, and how many events are not in it: those before 0 in time or place."""

    frames: int
    frame_ms: float
    """Of the recording's time, not of the reader's."""
    outside: int


@dataclass(frozen=True)
class _Film:
    width: int
    height: int
    colours: list[Colour]
    shades: Iterator[NDArray[np.uint8]]
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

    Equal frames in a row are stored as one that stays longer. PillowMissing; PictureError where
    there is nothing to draw, where both are given, or where there would be more than
    ``MOST_FRAMES`` frames or ``MOST_PIXELS`` pixels; EventFileError where ``path`` cannot be
    written.
    """
    _require_pillow()
    recorded = _from_zero(event)
    if not len(recorded):
        raise PictureError("there are no events from time 0 on, so there is nothing to draw")
    us = recorded.microseconds()
    frame_us, count = _frames(int(us[-1]) + 1, step_ms, frames)
    ends = np.searchsorted(us, frame_us * np.arange(1, count + 1)).tolist()
    film = (_image_film if is_image(recorded) else _raster_film)(recorded, ends)
    if film.width * film.height * count > MOST_PIXELS:
        raise PictureError(
            f"{count} frames of {film.width} × {film.height} pixels are too many; take fewer frames"
        )
    _save(Path(path), film, count, fps)
    outside = len(event) - len(recorded) + film.outside
    return Animation(count, frame_us / _US_PER_MS, outside)


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401  (only whether it is there)
    except ModuleNotFoundError as error:
        raise PillowMissing(
            'animations need the package Pillow: pip install "netdesc[gif]"'
        ) from error


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
    wanted = USUAL_FRAMES if frames is None else max(1, frames)
    frame_us = -(-duration_us // wanted) if step_ms is None else round(step_ms * _US_PER_MS)
    count = -(-duration_us // max(1, frame_us))
    if count > MOST_FRAMES:
        raise PictureError(
            f"this would take {count:,} frames, and {MOST_FRAMES} are made; take longer steps "
            f"or fewer frames"
        )
    return max(1, frame_us), count


def _raster_film(event: Event, ends: list[int]) -> _Film:
    grid = Grid.around(event, step_ms=1 / _US_PER_MS)
    width, height = _RASTER_SIZE
    colours = shades(WHITE, [INK.light, FAINT.light])

    def revealed() -> Iterator[NDArray[np.uint8]]:
        dots = Dots(grid, width, height)
        start = 0
        for number, end in enumerate(ends, 1):
            dots.put(grid.bins(_part(event, slice(start, end)))[0], _SPIKES)
            start, frame = end, dots.shade_HW.copy()
            if number < len(ends):
                column = frame[:, number * width // len(ends)]
                column[column == 0] = shade(FULL, _CURSOR)
            yield frame

    return _Film(width, height, colours, revealed(), grid.bins(event)[1])


def _image_film(event: Event, ends: list[int]) -> _Film:
    counts = Counts(event)
    scale = max(1, _IMAGE_SIDE // max(counts.height, counts.width))
    chosen = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    # All frames on one scale, so that a reader can compare them.
    most = max(int(np.add(*counts.within(part)).max()) for part in chosen)

    def played() -> Iterator[NDArray[np.uint8]]:
        for part in chosen:
            shade_HW = shaded(*counts.within(part), most)
            yield shade_HW.repeat(scale, axis=0).repeat(scale, axis=1)

    size = counts.width * scale, counts.height * scale
    return _Film(*size, shades(WHITE, POLARITIES), played(), counts.outside)


def _part(event: Event, chosen: slice) -> Event:
    y = None if event.y is None else event.y[chosen]
    return Event(event.x[chosen], y, event.p[chosen], event.t[chosen])


def _save(path: Path, film: _Film, count: int, fps: float) -> None:
    images = (_image(shade_HW, film.colours) for shade_HW in film.shades)
    times = [round(1000 / fps)] * (count - 1) + [_HOLD_MS]
    with whole_file(path) as temporary:
        next(images).save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images,
            duration=times,
            loop=0,
        )


def _image(shade_HW: NDArray[np.uint8], colours: list[Colour]) -> Image:
    from PIL import Image

    height, width = shade_HW.shape
    image = Image.frombytes("P", (width, height), shade_HW.tobytes())
    image.putpalette([part for colour in colours for part in colour])
    return image
