"""A raster as a picture of round dots, at any ratio of the sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.events.grid import Bins, Grid
from netdesc.events.palette import FULL, shade

_DOT = 0.36
"""The radius of a dot in the heights of a neuron's line."""
_SMALLEST_RADIUS, _LARGEST_RADIUS = 0.75, 4.0
"""Pixels. The smallest still shades the pixel that it is in by half."""
_PARTS, _PARTS_OF_MANY, _MANY = 4, 1, 500_000
"""Dots are placed to this part of a pixel, so that millions of them are few different ones."""


def dot_radius(grid: Grid, height: float) -> float:
    """Pixels, where a raster is ``height`` pixels high."""
    return min(_LARGEST_RADIUS, max(_SMALLEST_RADIUS, _DOT * height / grid.neurons))


class Dots:
    """Pixels of a raster, ``shade_HW``, numbered by ``palette.shade``.

    Time runs to the right and neurons run upward. Where dots meet, a pixel has the strongest shade,
    and of equals that of the colour with the larger number, whatever was drawn first.
    """

    def __init__(self, grid: Grid, width: int, height: int) -> None:
        self.grid = grid
        self.shade_HW = np.zeros((height, width), np.uint8)
        self._radius = dot_radius(grid, height)

    def put(self, bins: Bins, colour: int) -> None:
        """Draws a dot for every bin."""
        x, y = self._centres(bins)
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        reach = int(self._radius + 1)
        height, width = self.shade_HW.shape
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                column, row = left + right, top + down
                distance = np.hypot(column + 0.5 - x, row + 0.5 - y)
                cover = np.clip(self._radius + 0.5 - distance, 0, 1)
                level = np.rint(cover * FULL).astype(np.uint8)
                seen = (level > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
                value = shade(level[seen], colour)
                np.maximum.at(self.shade_HW, (row[seen], column[seen]), value)

    def _centres(self, bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where dots are in pixels from the upper left corner, each place once."""
        step, neuron = self.grid.places(bins)
        height, width = self.shade_HW.shape
        x = (step + 0.5) * (width / self.grid.steps)
        y = height - (neuron + 0.5) * (height / self.grid.neurons)
        parts = _PARTS if len(bins) < _MANY else _PARTS_OF_MANY
        line = width * parts + 1
        places = np.unique(np.rint(y * parts) * line + np.rint(x * parts))
        return places % line / parts, places // line / parts
