"""Rasters as pictures inside the page."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.events.pictures import overlay_png, raster_png
from netdesc.events.png import png
from netdesc.report.activity import Raster
from netdesc.report.words import counted

MOST_STEPS, MOST_CELLS = 2000, 600
"""Pixels of a picture in both directions. Longer rasters have several steps or cells a pixel."""
COARSE = 400
"""Pixels below which the browser must not smooth what it enlarges."""

INK = (17, 24, 32)
GREYS = [
    (255 - (255 - INK[0]) * n // 31, 255 - (255 - INK[1]) * n // 31, 255 - (255 - INK[2]) * n // 31)
    for n in range(32)
]
"""From paper to ink, all opaque: turned round in the dark, they still go from dark to light."""
MOST_SIDE = 256
"""Pixels of a still picture; longer sides are of rasters, not of images."""
FIRST = (0, 96, 160)
SECOND = (208, 92, 0)
"""Told apart by readers with any kind of colour vision, on white and, turned round, on black."""


@dataclass(frozen=True)
class Picture:
    """A PNG file as an address that holds it, and what stands beside it."""

    title: str
    alt: str
    address: str
    width: int
    height: int
    steps: int
    cells: int
    note: str

    @property
    def is_coarse(self) -> bool:
        return max(self.width, self.height) < COARSE


def raster_picture(title: str, alt: str, raster: Raster) -> Picture:
    """The spikes of one raster."""
    spikes_TN = _binned(raster)
    return _picture(title, alt, raster, spikes_TN, raster_png(spikes_TN, foreground=INK))


def overlay_picture(title: str, alt: str, first: Raster, second: Raster) -> Picture:
    """Two rasters in one, each in its colour, and what they share in ink."""
    first_TN, second_TN = _binned(first), _binned(second)
    content = overlay_png(first_TN, second_TN, first=FIRST, second=SECOND, both=INK)
    return _picture(title, alt, first, first_TN, content)


def raster_address(raster: Raster) -> str:
    """The picture of a raster as an address."""
    return _address(raster_png(_binned(raster), foreground=INK))


def still_picture(alt: str, raster: Raster, shape: tuple[int, ...]) -> Picture | None:
    """How often each cell of an input that is an image spiked, as that image; None for others.

    An image is [rows, columns] or [channels, rows, columns], the channels added up, or a square
    number of cells.
    """
    if len(shape) == 1:
        shape = (math.isqrt(raster.cells),) * 2
    sizes = shape[-2:]
    if len(shape) > 3 or math.prod(shape) != raster.cells:
        return None
    if not all(4 <= size <= MOST_SIDE for size in sizes):
        return None
    counts = np.bincount(raster.events[:, 1], minlength=raster.cells)
    counts_HW = counts.reshape(-1, *sizes).sum(axis=0)
    levels_HW = counts_HW * (len(GREYS) - 1) // max(1, counts_HW.max())
    height, width = sizes
    address = _address(png(levels_HW.astype(np.uint8), GREYS))
    return Picture("", alt, address, width, height, raster.steps, raster.cells, "")


def _binned(raster: Raster) -> NDArray[np.bool_]:
    """[steps, cells] as a raster that is small enough to be a picture; no spike is lost."""
    width, height = min(raster.steps, MOST_STEPS), min(raster.cells, MOST_CELLS)
    spikes_TN = np.zeros((width, height), dtype=np.bool_)
    steps, cells = raster.events.astype(np.int64).T
    spikes_TN[steps * width // raster.steps, cells * height // raster.cells] = True
    return spikes_TN


def _picture(
    title: str, alt: str, raster: Raster, spikes_TN: NDArray[np.bool_], content: bytes
) -> Picture:
    width, height = spikes_TN.shape
    return Picture(
        title=title,
        alt=f"{alt}: {counted(len(raster.events), 'spike')} of {counted(raster.cells, 'neuron')} "
        f"in {counted(raster.steps, 'step')}.",
        address=_address(content),
        width=width,
        height=height,
        steps=raster.steps,
        cells=raster.cells,
        note=""
        if raster.cut is None
        else f"There are too many spikes to keep: those from step {raster.cut:,} on are left out.",
    )


def _address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
