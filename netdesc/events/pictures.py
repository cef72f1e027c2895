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
from netdesc.events.files import atomic_output_path
from netdesc.events.image import Image, is_image
from netdesc.events.raster import Raster
from netdesc.events.raster_grid import Grid, PictureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200

_AXES_INCHES = (7.5, 5.0)
_GAP_PIXELS = 60
_MAX_NAME_LENGTH = 60
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Maps each format to metadata that are not written, so that equal spikes give equal bytes."""
FORMATS = tuple(_METADATA)


def make_pictures(
    recordings: Sequence[Event],
    names: Sequence[str],
    *,
    is_comparison: bool = False,
    step_ms: float = 1.0,
    rounding: Rounding = "nearest",
    neurons: int | None = None,
    until_ms: float | None = None,
) -> list[Raster | Image]:
    """Makes a picture of each recording or, if ``is_comparison``, one raster of two recordings.

    Recordings with x and y become images, others rasters. All rasters share a grid, and all images
    share a colour scale. PictureError under the conditions of ``Grid.enclosing`` and ``Image``, and
    if an image is combined with ``is_comparison``, ``neurons`` or ``until_ms``.
    """
    names = [_shorten_name(name) for name in names]
    rasters = [recording for recording in recordings if not is_image(recording)]
    needs_raster = is_comparison or neurons is not None or until_ms is not None
    if needs_raster and len(rasters) < len(recordings):
        raise PictureError(
            "events with x and y are drawn as an image, which has no axis of neurons or time and "
            "cannot be compared with another"
        )
    grid = Grid(0, 0)
    if rasters:
        grid = Grid.enclosing(
            *rasters, step_ms=step_ms, rounding=rounding, neurons=neurons, until_ms=until_ms
        )
    if is_comparison:
        return [Raster(recordings, names, grid)]
    drawn = [
        Image(recording, name) if is_image(recording) else Raster([recording], [name], grid)
        for recording, name in zip(recordings, names, strict=True)
    ]
    images = [each for each in drawn if isinstance(each, Image)]
    for image in images:
        image.full_strength = max(each.full_strength for each in images)
    return drawn


def save_picture(path: Path, *drawn: Raster | Image, is_bare: bool = False) -> None:
    """Writes pictures, side by side, in the format of the suffix, one of ``FORMATS``.

    If ``is_bare``, the file shows only the plot areas, without axes, titles and legends. The same
    spikes give the same bytes. EventFileError if the file cannot be written.
    """
    suffix = path.suffix.lower()
    with atomic_output_path(path) as temporary, default_style():
        figure = make_figure(*drawn, is_bare=is_bare)
        # An image keeps its aspect ratio, for which the layout of the figure may lack the space.
        box = None if is_bare else "tight"
        figure.savefig(temporary, format=suffix[1:], metadata=_METADATA[suffix], bbox_inches=box)


def make_figure(*drawn: Raster | Image, is_bare: bool = False) -> Figure:
    """Makes a figure of pictures side by side; needs ``default_style`` until it is rendered."""
    figure = _bare_figure(drawn) if is_bare else _figure_with_axes(len(drawn))
    for each, axes in zip(drawn, figure.axes, strict=True):
        each.draw(axes)
        if not is_bare:
            each.label(axes)
    return figure


def _figure_with_axes(count: int) -> Figure:
    from matplotlib.figure import Figure

    width, height = _AXES_INCHES
    figure = Figure((width * (1 + 0.6 * (count - 1)), height), DPI, layout="constrained")
    for axes in figure.subplots(1, count, squeeze=False).flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _bare_figure(drawn: Sequence[Raster | Image]) -> Figure:
    """Makes a figure with one pixel for each of the pictures' pixels, and gaps between them."""
    from matplotlib.figure import Figure

    width = sum(each.pixels[0] for each in drawn) + _GAP_PIXELS * (len(drawn) - 1)
    height = max(each.pixels[1] for each in drawn)
    figure, left = Figure((width / DPI, height / DPI), DPI), 0
    for each in drawn:
        own_width, own_height = each.pixels
        axes = figure.add_axes((left / width, 0, own_width / width, own_height / height))
        axes.set_axis_off()
        left += own_width + _GAP_PIXELS
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
