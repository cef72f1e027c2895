"""Rasters of spikes as PNG files, a pixel or a square of pixels for a bin.

Time runs to the right and neurons run upward, so neuron 0 is the lowest line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.events.palette import BLACK, BLUE, ORANGE, Colour
from netdesc.events.png import png

LONGEST_SIDE = 4096
"""Pixels. Longer rasters are pooled; programs refuse pictures not much longer than this."""


def raster_png(
    spikes_TN: NDArray,
    *,
    foreground: Colour = BLACK,
    background: Colour | None = None,
    scale: int = 1,
) -> bytes:
    """The spikes of ``[steps, neurons]``, nonzero where there is one, as a PNG file.

    Each bin is a square of ``scale`` pixels; the background None is transparent. A picture that
    would be longer than ``LONGEST_SIDE`` is drawn with several bins a pixel, which has the colour
    of a spike where any of them has one: no spike is lost. ValueError where there is nothing to
    draw (no steps or no neurons) or ``scale`` is below 1.
    """
    return png(_pixels(_checked(spikes_TN), scale), [background, foreground])


def overlay_png(
    first_TN: NDArray,
    second_TN: NDArray,
    *,
    first: Colour = BLUE,
    second: Colour = ORANGE,
    both: Colour = BLACK,
    background: Colour | None = None,
    scale: int = 1,
) -> bytes:
    """Two rasters of one shape in one picture, as ``raster_png``.

    A bin with spikes of both has the colour ``both``; so has a pixel of several bins, where the
    spikes may be of different bins. ValueError also where the shapes differ.
    """
    if first_TN.shape != second_TN.shape:
        raise ValueError(
            f"rasters of {list(first_TN.shape)} and {list(second_TN.shape)} do not overlay"
        )
    in_first, in_second = (_pixels(_checked(each), scale) for each in (first_TN, second_TN))
    return png(in_first + 2 * in_second, [background, first, second, both])


def _checked(spikes_TN: NDArray) -> NDArray[np.bool_]:
    if spikes_TN.ndim != 2 or not spikes_TN.size:
        raise ValueError(
            f"a raster is drawn from [steps, neurons], at least one of each, "
            f"not from {list(spikes_TN.shape)}"
        )
    return spikes_TN != 0


def _pixels(spikes_TN: NDArray[np.bool_], scale: int) -> NDArray[np.uint8]:
    """0 and 1 as ``[height, width]``, neuron 0 at the bottom."""
    if scale < 1:
        raise ValueError(f"a bin of {scale} pixels cannot be seen; the scale is 1 or more")
    spikes_NT = spikes_TN.T
    for axis in (0, 1):
        spikes_NT = _fitted(spikes_NT, axis, scale)
    return spikes_NT[::-1].astype(np.uint8)


def _fitted(spikes: NDArray[np.bool_], axis: int, scale: int) -> NDArray[np.bool_]:
    """Each bin ``scale`` times along ``axis``, or several bins as one where that is too long."""
    length = spikes.shape[axis]
    scale = min(scale, max(1, LONGEST_SIDE // length))
    pooled = -(-length // LONGEST_SIDE)
    starts = np.arange(0, length, pooled)
    return np.logical_or.reduceat(spikes, starts, axis=axis).repeat(scale, axis=axis)
