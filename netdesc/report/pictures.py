"""Raster plots and images of inputs, as PNG files embedded in the page."""

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.description.diagnostics.wording import amount
from netdesc.events.raster_grid import Grid, compare
from netdesc.runs.activity_file import SpikeRaster

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class MaxSize:
    """The largest width and height of a picture in pixels. In a picture of a larger raster, a pixel
    covers several steps or cells."""

    width: int
    height: int


SMALL = MaxSize(300, 130)
"""The size of pictures side by side, and of all pictures on narrow screens. It is so small that
browsers never shrink these pictures: shrinking would make single spikes invisible."""
WIDE = MaxSize(960, 417)
"""The size of a picture across the whole page. Narrow screens show a ``SMALL`` picture instead."""
ENLARGED = MaxSize(2000, 600)
"""The size of an enlarged picture, in a dialog that scrolls."""
COARSE_BELOW_PIXELS = 400
"""A picture is stretched to the full width of the page only if a side has at least this length."""

INK = (17, 24, 32)
GREYS: list[Colour] = [
    (255 - (255 - INK[0]) * n // 31, 255 - (255 - INK[1]) * n // 31, 255 - (255 - INK[2]) * n // 31)
    for n in range(32)
]
"""Greys from white to ``INK``. They are opaque, because dark mode inverts colours, not opacity."""
MAX_IMAGE_SIDE = 256
"""The longest side of an image in pixels. An input with a longer side is not shown as an image."""
TARGET, OUTPUT = (0, 96, 160), (208, 92, 0)
"""Colours of spikes in the target only and in the output only, as in ``netdesc events show``.

Readers with any kind of colour vision can distinguish them, on white and, inverted, on black.
"""
NO_SPIKE, ONLY_TARGET, ONLY_OUTPUT, BOTH = range(4)


@dataclass(frozen=True)
class Picture:
    """A picture: a PNG file as a data URL (``address``), its size in pixels, and its texts.

    ``narrow`` is the data URL of the picture for narrow screens, and ``large`` the data URL of the
    enlarged picture. Each of the two is empty if it would equal ``address``.
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
        return max(self.width, self.height) < COARSE_BELOW_PIXELS


def raster_picture(title: str, alt: str, raster: SpikeRaster, size: MaxSize) -> Picture:
    """Draws the spikes of one raster. A pixel is dark if any of its bins has a spike."""
    bins, colours = _bins(raster), (None, INK)
    return _picture(
        title, alt, raster, size, lambda at: _png_address(_counts(raster, bins, at) > 0, colours)
    )


def overlay_picture(
    title: str, alt: str, target: SpikeRaster, output: SpikeRaster, size: MaxSize
) -> Picture:
    """Draws target and output into one picture, each in its colour; spikes of both are dark."""
    colours = None, TARGET, OUTPUT, INK
    return _picture(
        title, alt, target, size, lambda at: _png_address(_overlay(target, output, at), colours)
    )


def still_picture(alt: str, raster: SpikeRaster, shape: tuple[int, ...]) -> Picture | None:
    """Draws an input as an image; None if its shape does not fit an image.

    The darkness of a pixel shows how often its cell spiked or, if no cell spiked more than once,
    how early. Images have the shape [rows, columns] or [channels, rows, columns] (the channels are
    combined), or one axis whose length is a square number.
    """
    if len(shape) == 1:
        shape = (math.isqrt(raster.cells),) * 2
    sizes = shape[-2:]
    if len(shape) > 3 or math.prod(shape) != raster.cells:
        return None
    if not all(4 <= size <= MAX_IMAGE_SIDE for size in sizes):
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
    # Rounded up, so that every cell that spiked is darker than the paper.
    levels_HW = -(-amounts_HW * (len(GREYS) - 1) // max(1, amounts_HW.max()))
    height, width = sizes
    address = _png_address(levels_HW, GREYS)
    note = "Inputs that spike earlier are darker." if is_timed else ""
    return Picture("", f"{alt}. {note}", address, width, height, raster.steps, raster.cells, note)


def _overlay(target: SpikeRaster, output: SpikeRaster, size: MaxSize) -> NDArray[np.int64]:
    """Returns the kind of each pixel (``NO_SPIKE`` to ``BOTH``), int64 [height, width].

    A pixel covers one or several bins. Its kind is the most frequent kind among those of its bins
    that have a spike. In a tie, ``BOTH`` wins. If ``ONLY_TARGET`` and ``ONLY_OUTPUT`` tie,
    neighbouring pixels show different kinds.
    """
    compared = compare(_bins(target), _bins(output))
    only_target, only_output, both = (_counts(target, bins, size) for bins in compared)
    is_even = np.indices(both.shape).sum(axis=0) % 2 == 0
    kinds = np.where(only_target + is_even > only_output, ONLY_TARGET, ONLY_OUTPUT)
    kinds[both >= np.maximum(only_target, only_output)] = BOTH
    kinds[only_target + only_output + both == 0] = NO_SPIKE
    return kinds


def _bins(raster: SpikeRaster) -> NDArray[np.int64]:
    """Returns the sorted numbers ``step * cells + cell`` of the cells and steps with a spike."""
    return np.unique(raster.events[:, 0].astype(np.int64) * raster.cells + raster.events[:, 1])


def _counts(raster: SpikeRaster, bins: NDArray[np.int64], size: MaxSize) -> NDArray[np.int64]:
    """Counts the ``bins`` in each pixel; returns int64 [height, width]. Cell 0 is at the bottom."""
    return Grid(raster.steps, raster.cells).pooled(bins, size.width, size.height)[::-1]


def _pixels(raster: SpikeRaster, size: MaxSize) -> tuple[int, int]:
    return min(raster.steps, size.width), min(raster.cells, size.height)


def _picture(
    title: str, alt: str, raster: SpikeRaster, size: MaxSize, draw: Callable[[MaxSize], str]
) -> Picture:
    steps, cells, pixels, note = raster.steps, raster.cells, _pixels(raster, size), ""
    if raster.cut is not None:
        note = f"The run stored no spikes from step {raster.cut:,} on, as there were too many."
    alt += f": {amount(len(raster.events), 'spike')} of {amount(cells, 'neuron')}"
    alt += f" in {amount(steps, 'step')}."
    others = (draw(at) if _pixels(raster, at) != pixels else "" for at in (SMALL, ENLARGED))
    return Picture(title, alt, draw(size), *pixels, steps, cells, note, *others)


def _png_address(kind_HW: NDArray, colours: Sequence[Colour | None]) -> str:
    """Returns a PNG file as a data URL. Pixels index ``colours``; the first may be transparent."""
    from PIL import Image  # comes with matplotlib

    image = Image.fromarray(kind_HW.astype(np.uint8))
    image.putpalette([part for colour in colours for part in colour or (0, 0, 0)])
    file = io.BytesIO()
    image.save(file, "PNG", **({"transparency": 0} if colours[0] is None else {}))
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
