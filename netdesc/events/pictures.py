"""Writes rasters and images as picture files, by matplotlib."""

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
from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200

_AXES_INCHES = (7.5, 5.0)
_MAX_NAME = 60
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What matplotlib leaves out, by format, so that the same spikes are the same bytes."""
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
    """What one or two recordings are best seen as. PictureError where that cannot be."""
    names = [_printable(name) for name in names]
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


def save_picture(path: Path, drawn: Raster | Image) -> None:
    """Writes a file of one of ``FORMATS``: .png fills the picture, the others have axes. OSError.

    The same spikes give the same bytes.
    """
    suffix = path.suffix.lower()
    with plain_style():
        figure = figure_of(drawn, has_axes=suffix != ".png")
        figure.savefig(path, format=suffix[1:], metadata=_METADATA[suffix])


def figure_of(drawn: Raster | Image, has_axes: bool) -> Figure:
    """Call it, and draw the figure, within ``plain_style``."""
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
def plain_style() -> Generator[None, None, None]:
    """matplotlib's defaults, whatever the user has set, and no word of its own about its fonts."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # it tells that it lists the fonts, which it does once
    import matplotlib.style

    own = {
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": "netdesc",
        "text.parse_math": False,
    }
    with matplotlib.style.context(["default", own]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in a rare script
        try:
            yield
        finally:
            log.setLevel(level)


def _printable(name: str) -> str:
    """A file's name, which may be long and hold what XML cannot."""
    short = name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
    return "".join(each if each.isprintable() else "�" for each in short)
