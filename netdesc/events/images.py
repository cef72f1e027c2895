"""Events with x and y as pictures: how often each pixel has fired, and in which polarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.events.container import Event
from netdesc.events.grid import PictureError
from netdesc.events.palette import BLUE, FULL, ORANGE, Colour, mixed, shade

_LARGEST_SIDE = 4096
_SHARES = 6
"""Mixtures of the two colours are drawn in sixths."""

POLARITIES: list[Colour] = [mixed(ORANGE, BLUE, part / _SHARES) for part in range(_SHARES + 1)]
"""From polarity 0 only to polarity 1 only."""


def is_image(event: Event) -> bool:
    """Whether ``y`` says something, so that the events make a picture rather than a raster."""
    return event.y is not None and bool(event.y.any())


class Counts:
    """How many events of either polarity each pixel of ``[height, width]`` has.

    Row 0 is the upper one, as cameras count. Any polarity but 0 counts as 1. ``outside`` events
    have a negative place. PictureError where there is no event, or one beyond 4,096 pixels.
    """

    def __init__(self, event: Event) -> None:
        assert event.y is not None
        x, y = event.x.astype(np.int64), event.y.astype(np.int64)
        if not len(event):
            raise PictureError("there are no events, so there is nothing to draw")
        self.width, self.height = max(1, int(x.max()) + 1), max(1, int(y.max()) + 1)
        if max(self.width, self.height) > _LARGEST_SIDE:
            raise PictureError(
                f"a picture of {self.width:,} × {self.height:,} pixels is too large; "
                f"{_LARGEST_SIDE:,} are drawn in either direction"
            )
        self._inside = (x >= 0) & (y >= 0)
        self.outside = len(event) - int(self._inside.sum())
        self._pixel = y * self.width + x
        self._on = event.p != 0

    def within(self, chosen: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many of the chosen events each pixel has, of polarity 0 and of the others."""
        pixel, on = self._pixel[chosen], self._on[chosen]
        inside, size = self._inside[chosen], self.width * self.height
        off_HW, on_HW = (
            np.bincount(pixel[inside & side], minlength=size).reshape(self.height, self.width)
            for side in (~on, on)
        )
        return off_HW, on_HW


def shaded(off_HW: NDArray[np.int64], on_HW: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
    """Pixels numbered by ``palette.shade``, for ``POLARITIES``.

    The strength grows as the square root of the count, so that one event is seen beside hundreds;
    ``most`` events have full strength.
    """
    total = off_HW + on_HW
    level = np.ceil(FULL * np.sqrt(np.minimum(total / max(most, 1), 1))).astype(np.uint8)
    part = np.rint(_SHARES * on_HW / np.maximum(total, 1)).astype(np.uint8)
    return shade(level, part)
