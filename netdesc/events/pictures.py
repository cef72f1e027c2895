"""Writes rasters and images as picture files, with matplotlib."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdesc.events.binning import Rounding
from netdesc.events.container import Event
from netdesc.events.image import Image, is_image
from netdesc.events.raster import Raster
from netdesc.events.raster_grid import Grid, PictureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200

_AXES_INCHES = (7.5, 5.0)
_MAX_NAME_LENGTH = 60
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Metadata by format that matplotlib leaves out, so that equal spikes give equal bytes."""
FORMATS = tuple(_METADATA)


def picture(
    recordings: Sequence[Event],
    names: Sequence[str],
    *,
    step_ms: float = 1.0,
    rounding: Rounding = "nearest",
    neurons: int | None = None,
    until_ms: float | None = None,
) -> Raster | Image:
    """Makes a raster of one or two recordings, or an image of one recording with x and y.

    PictureError under the conditions of ``Grid.enclosing`` and ``Image``, and if an image is
    combined with a second recording, ``neurons`` or ``until_ms``.
    """
    names = [_shorten_name(name) for name in names]
    if not any(is_image(recording) for recording in recordings):
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

    A .png file shows only the plot area; the other formats have axes. The same spikes give the same
    bytes. OSError if the file cannot be written.
    """
    suffix = path.suffix.lower()
    with default_style():
        figure = make_figure(drawn, has_axes=suffix != ".png")
        figure.savefig(path, format=suffix[1:], metadata=_METADATA[suffix])


def make_figure(drawn: Raster | Image, has_axes: bool) -> Figure:
    """Makes a figure of ``drawn``. Call this and render the figure in a ``default_style`` block."""
    from matplotlib.figure import Figure

    if has_axes:
        figure = Figure(_AXES_INCHES, DPI, layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
    else:
        width, height = drawn.pixels
        figure = Figure((width / DPI, height / DPI), DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
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
        warnings.filterwarnings(
            "ignore", "Glyph", UserWarning
        )  # a name in a script that the font lacks
        try:
            yield
        finally:
            log.setLevel(level)


def _shorten_name(name: str) -> str:
    """Shortens a file's name and replaces unprintable characters, which XML cannot hold."""
    short = name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…"
    return "".join(each if each.isprintable() else "�" for each in short)
