"""Colours of spike pictures, told apart with any kind of colour vision (Okabe and Ito, 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
BLUE: Colour = (0, 114, 178)
ORANGE: Colour = (230, 159, 0)


class Tint(NamedTuple):
    """A colour as it is on light paper and on dark."""

    light: Colour
    dark: Colour


PAPER = Tint(WHITE, (21, 24, 28))
INK = Tint((20, 20, 20), (232, 232, 232))
TARGET = Tint(BLUE, (86, 180, 233))
"""What is wanted and not there."""
OUTPUT = Tint(ORANGE, ORANGE)
"""What is there and not wanted."""
FAINT = Tint((190, 190, 190), (90, 90, 90))

MOST_SHADED = 8
"""Colours that a picture of shades can have."""
FULL = 15
"""The level of a colour at full strength; level 0 is the paper."""


def shade(level: NDArray[np.uint8] | int, colour: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    """The number in ``shades`` of a colour at a level; the stronger, the larger."""
    return np.asarray(level * MOST_SHADED + colour, np.uint8)


def shades(paper: Colour, colours: Sequence[Colour]) -> list[Colour]:
    """128 colours, numbered by ``shade``: each of ``colours`` from the paper to full strength."""
    assert len(colours) <= MOST_SHADED
    padded = [*colours, *[paper] * (MOST_SHADED - len(colours))]
    return [mixed(paper, colour, level / FULL) for level in range(FULL + 1) for colour in padded]


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
