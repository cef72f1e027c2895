"""Events with x and y as a picture: how often each pixel has fired, and in which polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdesc.events.braille import DOTS_PER_COLUMN, DOTS_PER_LINE, braille
from netdesc.events.container import Event
from netdesc.events.palette import BLUE, ORANGE
from netdesc.events.raster_grid import Grid, PictureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SIDE = 4096
"""Pixels in either direction."""

_ENLARGED = 768
"""Pixels, about. Cameras that record events have few, and each becomes a square of these."""
_FAINTEST = 0.1
"""Strength of the colour of a pixel with one event among very many."""


def is_image(event: Event) -> bool:
    """Whether ``y`` says something, so that the events make a picture rather than a raster."""
    return event.y is not None and bool(event.y.any())


class Image:
    """Events with x and y: polarity 0 is orange, any other blue, and row 0 is the upper one.

    ``outside`` events have a negative place. PictureError where there is no event, or one beyond
    ``MAX_SIDE`` pixels.
    """

    comparison = None

    def __init__(self, event: Event, name: str) -> None:
        assert event.y is not None
        if not len(event):
            raise PictureError("there are no events, so there is nothing to draw")
        x, y = event.x.astype(np.int64), event.y.astype(np.int64)
        self.width, self.height = max(1, int(x.max()) + 1), max(1, int(y.max()) + 1)
        if max(self.width, self.height) > MAX_SIDE:
            raise PictureError(
                f"a picture of {self.width:,} × {self.height:,} pixels is too large; "
                f"{MAX_SIDE:,} are drawn in either direction"
            )
        self._inside = (x >= 0) & (y >= 0)
        self.outside = len(event) - int(self._inside.sum())
        self._pixel = y * self.width + x
        self._is_on = event.p != 0
        self._name = name

    @property
    def pixels(self) -> tuple[int, int]:
        return self.enlarged(_ENLARGED)

    def enlarged(self, side: int) -> tuple[int, int]:
        """Width and height where pixels are squares, and the longer side has about ``side``."""
        scale = max(1, side // max(self.width, self.height))
        return self.width * scale, self.height * scale

    def counts(self, chosen: slice = slice(None)) -> NDArray[np.int64]:
        """How many chosen events each pixel has, [2, height, width]: of polarity 0, of others."""
        inside = self._inside[chosen]
        place = self._pixel[chosen] + self._is_on[chosen] * (self.width * self.height)
        counts = np.bincount(place[inside], minlength=2 * self.width * self.height)
        return counts.reshape(2, self.height, self.width)

    def rgb(self, counts_2HW: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
        """Colours [height, width, 3] of counts; ``most`` events have full strength.

        The strength grows as the square root of the count, so that one event is seen beside
        hundreds.
        """
        total_HW = counts_2HW.sum(axis=0)
        strength_HW = np.where(
            total_HW > 0, _FAINTEST + (1 - _FAINTEST) * np.sqrt(total_HW / max(most, 1)), 0
        )
        share_HW = counts_2HW[1] / np.maximum(total_HW, 1)
        colour_HW3 = share_HW[..., None] * (np.array(BLUE) - ORANGE) + ORANGE
        return np.rint(255 * (1 + strength_HW[..., None] * (colour_HW3 - 1))).astype(np.uint8)

    def draw(self, axes: Axes) -> None:
        """All events at once."""
        counts_2HW = self.counts()
        most = int(counts_2HW.sum(axis=0).max())
        axes.imshow(self.rgb(counts_2HW, most), interpolation="nearest")
        axes.set_xlabel("x")
        axes.set_ylabel("y")
        axes.set_title(self._name)

    def sketch(self, columns: int, lines: int) -> str:
        """The pixels with an event in Braille patterns, at most so many characters."""
        # Numbered by columns, as a raster's bins are.
        bins = np.flatnonzero(self.counts().sum(axis=0).T)
        grid = Grid(self.width, self.height)
        return braille(grid.pooled(bins, columns * DOTS_PER_COLUMN, lines * DOTS_PER_LINE))
