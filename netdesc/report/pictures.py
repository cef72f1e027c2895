"""Rasters as pictures inside the page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.report.activity import Raster
from netdesc.report.format import plural

Colour = tuple[int, int, int]


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
GREYS: list[Colour] = [
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
    """The spikes of one raster. A pixel of several bins shows a spike of any: none is lost."""
    bins = _bins(raster)

    def draw(place: Place) -> str:
        return _address(_counts(raster, bins, place) > 0, [None, INK])

    return _picture(title, alt, raster, place, draw)


def overlay_picture(title: str, alt: str, target: Raster, output: Raster, place: Place) -> Picture:
    """Two rasters in one, each in its colour, and what they share in ink."""

    def draw(place: Place) -> str:
        return _address(_overlaid(target, output, place), [None, TARGET, OUTPUT, INK])

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
    address = _address(levels_HW, GREYS)
    note = "The earlier an input spikes, the more it stands out." if is_timed else ""
    return Picture("", f"{alt}. {note}", address, width, height, raster.steps, raster.cells, note)


def _overlaid(target: Raster, output: Raster, place: Place) -> NDArray[np.int64]:
    """What each pixel shows, [height, width]: of several bins, what most of them are.

    Of as many misses as false alarms every other pixel shows the former; where as many bins are
    met, these are shown.
    """
    aim, found = _bins(target), _bins(output)
    parts = np.setdiff1d(aim, found), np.setdiff1d(found, aim), np.intersect1d(aim, found)
    missed, wrong, met = (_counts(target, part, place) for part in parts)
    is_even = np.indices(met.shape).sum(axis=0) % 2 == 0
    kinds = np.where(missed + is_even > wrong, ONLY_TARGET, ONLY_OUTPUT)
    kinds[met >= np.maximum(missed, wrong)] = BOTH
    kinds[missed + wrong + met == 0] = NO_SPIKE
    return kinds


def _bins(raster: Raster) -> NDArray[np.int64]:
    """The bins with a spike, each once, numbered ``step * cells + cell``."""
    return np.unique(raster.events[:, 0].astype(np.int64) * raster.cells + raster.events[:, 1])


def _counts(raster: Raster, bins: NDArray[np.int64], place: Place) -> NDArray[np.int64]:
    """How many of ``bins`` each pixel of a picture shows, [height, width], cell 0 at the bottom."""
    width, height = _size(raster, place)
    step, cell = np.divmod(bins, raster.cells)
    row = height - 1 - cell * height // raster.cells
    pixel = row * width + step * width // raster.steps
    return np.bincount(pixel, minlength=height * width).reshape(height, width)


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


def _address(kind_HW: NDArray, colours: Sequence[Colour | None]) -> str:
    """A PNG file as an address that holds it. Pixels number ``colours``, the first may be None."""
    from PIL import Image  # comes with matplotlib

    image = Image.fromarray(kind_HW.astype(np.uint8))
    image.putpalette([part for colour in colours for part in colour or (0, 0, 0)])
    file = io.BytesIO()
    image.save(file, "PNG", **({"transparency": 0} if colours[0] is None else {}))
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
