"""Draws dots on a terminal as Braille characters, which have two by four dots each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DOTS_PER_COLUMN, DOTS_PER_LINE = 2, 4

_BLANK = 0x2800
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot in the code of a Braille character, by line and column of the dot."""


def braille(dot_HW: NDArray[np.bool_]) -> str:
    """Returns text with a dot for each true value of an array [height, width]; row 0 is on top."""
    height, width = dot_HW.shape
    padded = np.pad(dot_HW, ((0, -height % DOTS_PER_LINE), (0, -width % DOTS_PER_COLUMN)))
    cells = padded.reshape(-1, DOTS_PER_LINE, padded.shape[1] // DOTS_PER_COLUMN, DOTS_PER_COLUMN)
    codes = _BLANK + np.einsum("akbl,kl->ab", cells, _BITS)
    return "\n".join("".join(map(chr, row)) for row in codes.tolist())
