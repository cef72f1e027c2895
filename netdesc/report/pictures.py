"""Rasters as pictures inside the page."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.events.pictures import raster_png
from netdesc.events.png import png
from netdesc.report.activity import Raster
from netdesc.report.format import plural


@dataclass(frozen=True)
class Place:
    """For how many pixels there is room. Longer rasters have several steps or cells a pixel."""

    width: int
    height: int


BESIDE = Place(300, 130)
"""One of several side by side, or any on a narrow screen. Browsers enlarge pictures to fit there,
and never shrink them: that would let single spikes fade away."""
ACROSS = Place(960, 417)
"""Alone, across the page; a screen narrower than ``report.css`` says has the other size there."""
WHOLE = Place(2000, 600)
"""Enlarged, in a window of its own that can be scrolled."""
COARSE = 400
"""Pixels below which a picture across the page is kept from becoming all too large."""

INK = (17, 24, 32)
GREYS = [
    (255 - (255 - INK[0]) * n // 31, 255 - (255 - INK[1]) * n // 31, 255 - (255 - INK[2]) * n // 31)
    for n in range(32)
]
"""From paper to ink, all opaque: turned round in the dark, they still go from dark to light."""
MOST_SIDE = 256
"""Pixels of a still picture; longer sides are of rasters, not of images."""
TARGET, OUTPUT = (0, 96, 160), (208, 92, 0)
"""What only the target has, and what only the output has; as ``netdesc events show --against``.

Told apart by readers with any kind of colour vision, on white and, turned round, on black."""
NO_SPIKE, ONLY_TARGET, ONLY_OUTPUT, BOTH = range(4)


@dataclass(frozen=True)
class Picture:
    """A PNG file as an address that holds it, and what stands beside it.

    ``narrow`` is the address for a narrow screen and ``large`` that of the picture enlarged; both
    are empty where ``address`` serves there, too.
    """

    title: str
    alt: str
    address: str
    width: int
    height: int
    steps: int
    cells: int
    note: str
    narrow: str = ""
    large: str = ""

    @property
    def is_coarse(self) -> bool:
        return max(self.width, self.height) < COARSE


def raster_picture(title: str, alt: str, raster: Raster, place: Place) -> Picture:
    """The spikes of one raster."""

    def draw(place: Place) -> str:
        return _address(raster_png(_binned(raster, place), foreground=INK))

    return _picture(title, alt, raster, place, draw)


def overlay_picture(title: str, alt: str, target: Raster, output: Raster, place: Place) -> Picture:
    """Two rasters in one, each in its colour, and what they share in ink."""

    def draw(place: Place) -> str:
        kinds_HW = _overlaid(target, output, place).T[::-1]
        return _address(png(kinds_HW, [None, TARGET, OUTPUT, INK]))

    return _picture(title, alt, target, place, draw)


def still_picture(alt: str, raster: Raster, shape: tuple[int, ...]) -> Picture | None:
    """An input that is an image, as that image; None for others.

    It shows how often each cell spiked, or, where none did more than once, when: the earlier, the
    more it stands out. An image is [rows, columns] or [channels, rows, columns], the channels put
    together, or a square number of cells.
    """
    if len(shape) == 1:
        shape = (math.isqrt(raster.cells),) * 2
    sizes = shape[-2:]
    if len(shape) > 3 or math.prod(shape) != raster.cells:
        return None
    if not all(4 <= size <= MOST_SIDE for size in sizes):
        return None
    steps, cells = raster.events.T
    counts = np.bincount(cells, minlength=raster.cells)
    is_timed = len(steps) > 0 and counts.max() == 1 and steps.min() < steps.max()
    if is_timed:
        earliness = np.zeros(raster.cells, dtype=np.int64)
        earliness[cells] = 1 + steps.max() - steps
        amounts_HW = earliness.reshape(-1, *sizes).max(axis=0)
    else:
        amounts_HW = counts.reshape(-1, *sizes).sum(axis=0)
    # Whatever spiked is told from the paper.
    levels_HW = -(-amounts_HW * (len(GREYS) - 1) // max(1, amounts_HW.max()))
    height, width = sizes
    address = _address(png(levels_HW.astype(np.uint8), GREYS))
    note = "The earlier an input spikes, the more it stands out." if is_timed else ""
    return Picture("", f"{alt}. {note}", address, width, height, raster.steps, raster.cells, note)


def _binned(raster: Raster, place: Place) -> NDArray[np.bool_]:
    """[steps, cells] as a raster that fits into a place; no spike is lost."""
    steps, cells = raster.events.astype(np.int64).T
    x, y, spikes_TN = _pixels(raster, steps, cells, place)
    spikes_TN[x, y] = 1
    return spikes_TN != 0


def _overlaid(target: Raster, output: Raster, place: Place) -> NDArray[np.uint8]:
    """[steps, cells], what each pixel shows: of several bins, what most of them are.

    Of as many misses as false alarms every other pixel shows the former; where as many bins are
    met, these are shown.
    """
    wanted, there = (
        np.unique(raster.events[:, 0].astype(np.int64) * raster.cells + raster.events[:, 1])
        for raster in (target, output)
    )
    parts = {
        ONLY_TARGET: np.setdiff1d(wanted, there, assume_unique=True),
        ONLY_OUTPUT: np.setdiff1d(there, wanted, assume_unique=True),
        BOTH: np.intersect1d(wanted, there, assume_unique=True),
    }
    counts: dict[int, NDArray[np.int64]] = {}
    for kind, bins in parts.items():
        x, y, counts[kind] = _pixels(target, *np.divmod(bins, target.cells), place)
        np.add.at(counts[kind], (x, y), 1)
    missed, wrong, met = counts[ONLY_TARGET], counts[ONLY_OUTPUT], counts[BOTH]
    is_even = np.indices(met.shape).sum(axis=0) % 2 == 0
    kinds = np.where(missed + is_even > wrong, ONLY_TARGET, ONLY_OUTPUT)
    kinds[met >= np.maximum(missed, wrong)] = BOTH
    kinds[missed + wrong + met == 0] = NO_SPIKE
    return kinds.astype(np.uint8)


def _pixels(
    raster: Raster, steps: NDArray[np.int64], cells: NDArray[np.int64], place: Place
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of bins in a picture of a raster, and an empty picture [columns, rows]."""
    width, height = _size(raster, place)
    empty = np.zeros((width, height), dtype=np.int64)
    return steps * width // raster.steps, cells * height // raster.cells, empty


def _size(raster: Raster, place: Place) -> tuple[int, int]:
    return min(raster.steps, place.width), min(raster.cells, place.height)


def _picture(
    title: str, alt: str, raster: Raster, place: Place, draw: Callable[[Place], str]
) -> Picture:
    width, height = _size(raster, place)
    narrow, large = (_size(raster, other) != (width, height) for other in (BESIDE, WHOLE))
    return Picture(
        title=title,
        alt=f"{alt}: {plural(len(raster.events), 'spike')} of {plural(raster.cells, 'neuron')} "
        f"in {plural(raster.steps, 'step')}.",
        address=draw(place),
        width=width,
        height=height,
        steps=raster.steps,
        cells=raster.cells,
        note=""
        if raster.cut is None
        else f"There are too many spikes to keep: those from step {raster.cut:,} on are left out.",
        narrow=draw(BESIDE) if narrow else "",
        large=draw(WHOLE) if large else "",
    )


def _address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
