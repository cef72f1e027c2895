"""Draws events with x and y as an image: the colour of a pixel shows its events by polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event
from netdesc.events.legend import add_legend
from netdesc.events.palette import BLUE, ORANGE
from netdesc.events.raster_grid import PictureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SIDE = 4096
"""The largest width and height of an image, in pixels."""

_ENLARGED_SIDE = 768
"""The approximate longer side of a saved image, to which smaller images are enlarged."""
_MIN_STRENGTH = 0.1
"""The lowest strength (0 to 1) of a pixel's colour, at which a single event is still visible."""


def is_image(event: Event) -> bool:
    """Returns True if some ``y`` is not 0; such events are drawn as an image, not as a raster."""
    return event.y is not None and bool(event.y.any())


class Image:
    """An image of events with x and y: polarity 0 is orange, others are blue; row 0 is on top.

    ``outside`` is the number of events with a negative x or y, which are not drawn. PictureError if
    there are no events, or if width or height exceed ``MAX_SIDE``.
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
        self._is_inside = (x >= 0) & (y >= 0)
        self.outside = len(event) - int(self._is_inside.sum())
        self._pixel = y * self.width + x
        self._is_on = event.p != 0
        self._name = name
        self.full_strength = int(self.counts().sum(axis=0).max())
        """The number of events of a pixel with the full colour; at first, the largest number."""

    @property
    def pixels(self) -> tuple[int, int]:
        return self.enlarged(_ENLARGED_SIDE)

    def enlarged(self, side: int) -> tuple[int, int]:
        """Returns the size of a picture, enlarged by a whole factor while it fits into ``side``."""
        scale = max(1, side // max(self.width, self.height))
        return self.width * scale, self.height * scale

    def counts(self, part: slice = slice(None)) -> NDArray[np.int64]:
        """Counts the events of each pixel, for the slice ``part`` of the recording.

        Returns [2, height, width]. Index 0 of the first axis is polarity 0, index 1 all others.
        """
        is_inside = self._is_inside[part]
        place = self._pixel[part] + self._is_on[part] * (self.width * self.height)
        counts = np.bincount(place[is_inside], minlength=2 * self.width * self.height)
        return counts.reshape(2, self.height, self.width)

    def rgb(self, counts_2HW: NDArray[np.int64], full_strength: int) -> NDArray[np.uint8]:
        """Converts event counts [2, height, width] to colours [height, width, 3].

        A pixel with ``full_strength`` events has the full colour. The strength of a colour grows
        with the square root of the count, so that one event stays visible beside hundreds.
        """
        total_HW = counts_2HW.sum(axis=0)
        strength_HW = np.where(
            total_HW > 0,
            _MIN_STRENGTH + (1 - _MIN_STRENGTH) * np.sqrt(total_HW / max(full_strength, 1)),
            0,
        )
        share_HW = counts_2HW[1] / np.maximum(total_HW, 1)
        colour_HW3 = share_HW[..., None] * (np.array(BLUE) - ORANGE) + ORANGE
        return np.rint(255 * (1 + strength_HW[..., None] * (colour_HW3 - 1))).astype(np.uint8)

    def draw(self, axes: Axes) -> None:
        """Draws the image of all events."""
        axes.imshow(self.rgb(self.counts(), self.full_strength), interpolation="nearest")

    def label(self, axes: Axes) -> None:
        """Adds the names of the axes, a title, and a legend below the plot."""
        from matplotlib.patches import Patch

        axes.set_xlabel("x (pixels)")
        axes.set_ylabel("y (pixels)")
        axes.set_title(self._name)
        strength = self.full_strength
        colours = ((False, ORANGE, "polarity 0"), (True, BLUE, "polarity 1"))
        add_legend(
            axes,
            handles=[
                Patch(color=colour, label=name)
                for is_on, colour, name in colours
                if (self._is_on == is_on).any()
            ],
            title=f"full colour: {strength:,} {'event' if strength == 1 else 'events'} in a pixel",
        )
