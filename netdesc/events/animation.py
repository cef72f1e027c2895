"""Writes a recording as an animation: GIF, MP4 or HTML, by the writers of matplotlib.

Events of neurons are drawn as a raster, which grows from left to right. Events with x and y are
drawn as images: each frame shows the events in its part of the recording.
"""

import base64
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netdesc.events.columns import EventColumns
from netdesc.events.file_errors import atomic_output_path
from netdesc.events.numbers import MAX_FRAMES
from netdesc.events.pictures import Drawing, Image, Raster, default_style, make_figure, make_picture
from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    from matplotlib.animation import AbstractMovieWriter
    from matplotlib.figure import Figure

FORMATS = (".gif", ".mp4", ".html")
DEFAULT_FRAMES = 100

_DPI = 96
_HOLD_S = 1.5
"""The duration of the last frame of GIF and MP4 files, after which players begin again."""
_MAX_PAGE_MB = 1024
_US_PER_MS = 1000
_LINK = re.compile(r"<link\b[^>]*>")
_SYMBOLS = {
    "minus": "−", "plus": "+", "pause": "‖", "play": "▶", "play.fa-flip-horizontal": "◀",
    "fast-backward": "«", "fast-forward": "»", "step-backward": "◂", "step-forward": "▸",
}  # fmt: skip
_STYLE = f"""<style>{
    "".join(f'.fa-{name}::before {{content: "{text}"}} ' for name, text in _SYMBOLS.items())
} .fa {{font-style: normal}}</style>"""
"""Replaces the font of matplotlib's page, which browsers would load from another server."""


class MissingProgramError(PictureError):
    """A format needs a program that is not installed."""

    exit_code = 3


@dataclass(frozen=True)
class Animation:
    """Properties of an animation that ``write_animation`` has written."""

    frames: int
    frame_ms: float
    """The part of the recording that one frame covers, in ms."""
    outside: int
    """The number of events that are not shown, because their time, neuron or pixel is negative."""


class NotebookAnimation(Drawing):
    """An animation, which a notebook displays as GIF."""

    @cached_property
    def gif(self) -> bytes:
        """The content of the GIF file."""
        return self.content(".gif")

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.gif).decode("ascii")
        return f'<img alt="spikes over time" src="data:image/gif;base64,{content}">'


def write_animation(
    path: str | Path,
    event: EventColumns,
    name: str = "",
    *,
    step_ms: float | None = None,
    frames: int | None = None,
    fps: float = 20.0,
) -> Animation:
    """Writes a recording with one frame per ``step_ms``, or with ``frames`` frames.

    The suffix of ``path``, one of ``FORMATS``, selects the format. ``name`` is the title, ``fps``
    the number of frames shown per second. PictureError if there is nothing to draw, if both
    ``step_ms`` and ``frames`` are given, if there are more than ``MAX_FRAMES`` frames, or if the
    format needs a program that is missing; EventFileError if ``path`` cannot be written.
    """
    suffix = Path(path).suffix.lower()
    times_us = event.microseconds()
    order = np.argsort(times_us, kind="stable")
    order = order[times_us[order] >= 0]
    shown = event.part(order)
    if not len(shown):
        raise PictureError("there are no events from time 0 on, so there is nothing to draw")
    frame_us, count = _frame_length(int(shown.microseconds()[-1]) + 1, step_ms, frames)
    ends_us = frame_us * np.arange(1, count + 1)
    drawn = make_picture([shown], [name], step_ms=1 / _US_PER_MS)
    with atomic_output_path(path) as file, default_style():
        if isinstance(drawn, Image):
            figure, show_frame = _prepare_image(drawn, shown, ends_us)
        else:
            figure, show_frame = _prepare_raster(drawn, ends_us)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # all frames keep this layout
        hold = 0 if suffix == ".html" else round(_HOLD_S * fps)
        writer = _writer(suffix, fps)
        try:
            with writer.saving(figure, str(file), _DPI):
                for number in [*range(count), *[count - 1] * hold]:
                    show_frame(number)
                    writer.grab_frame()
        except subprocess.CalledProcessError as error:
            raise PictureError(f"ffmpeg failed: {(error.stderr or str(error)).strip()}") from error
        if suffix == ".html":
            text = file.read_text(encoding="utf-8")
            file.write_text(_LINK.sub(_STYLE, text), encoding="utf-8", newline="")
    return Animation(count, frame_us / _US_PER_MS, len(event) - len(shown) + drawn.outside)


def _writer(suffix: str, fps: Any) -> "AbstractMovieWriter":  # a float, where types say int
    from matplotlib.animation import FFMpegWriter, HTMLWriter, PillowWriter

    if suffix == ".gif":
        return PillowWriter(fps)
    if suffix == ".html":
        return HTMLWriter(fps, embed_frames=True, default_mode="once", embed_limit=_MAX_PAGE_MB)
    if not FFMpegWriter.isAvailable():
        raise MissingProgramError(
            "an .mp4 file requires the program ffmpeg, which is not on the PATH; install it, or "
            "write a .gif or .html file"
        )
    return FFMpegWriter(fps)


def _prepare_raster(
    raster: Raster, ends_us: NDArray[np.int64]
) -> "tuple[Figure, Callable[[int], None]]":
    """Returns the figure, and what shows the raster up to the end of a frame."""
    figure = make_figure(raster, _DPI)
    (dots,) = figure.axes[0].lines
    times_ms, neurons = np.asarray(dots.get_xdata()), np.asarray(dots.get_ydata())

    def show_frame(number: int) -> None:
        is_past = times_ms < ends_us[number] / _US_PER_MS
        dots.set_data(times_ms[is_past], neurons[is_past])

    return figure, show_frame


def _prepare_image(
    image: Image, shown: EventColumns, ends_us: NDArray[np.int64]
) -> "tuple[Figure, Callable[[int], None]]":
    """Returns the figure, and what shows the events of a frame. All frames share the colours."""
    ends = np.searchsorted(shown.microseconds(), ends_us).tolist()
    parts = [shown.part(slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]
    image.full_strength = max(int(image.counts(part).sum(axis=0).max()) for part in parts)
    figure = make_figure(image, _DPI)

    def show_frame(number: int) -> None:
        figure.axes[0].images[0].set_data(image.rgb(image.counts(parts[number])))

    return figure, show_frame


def _frame_length(duration_us: int, step_ms: float | None, frames: int | None) -> tuple[int, int]:
    """Returns the length of a frame in microseconds, and the number of frames."""
    if step_ms is not None and frames is not None:
        raise PictureError("the length of a frame follows from their number; give only one")
    frame_us = -(-duration_us // (frames or DEFAULT_FRAMES))
    if step_ms is not None:
        frame_us = round(step_ms * _US_PER_MS)
    count = -(-duration_us // frame_us)
    if count > MAX_FRAMES:
        problem = f"this would take {count:,} frames; at most {MAX_FRAMES} are possible"
        raise PictureError(f"{problem}. Take longer steps or fewer frames")
    return frame_us, count
