"""Small spike pictures for a terminal, in Braille patterns: two by four dots a character."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netdesc.events.grid import Bins, Grid

_BLANK = 0x2800
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot of a character, by line and column."""


def raster_text(grid: Grid, bins: Bins, columns: int, lines: int) -> str:
    """A raster of at most so many characters; a dot stands for one bin or for several."""
    step, neuron = grid.places(bins)
    width, height = min(2 * columns, grid.steps), min(4 * lines, grid.neurons)
    dot_HW = np.zeros((height, width), bool)
    dot_HW[height - 1 - _scaled(neuron, height, grid.neurons), _scaled(step, width, grid.steps)] = 1
    return _text(dot_HW)


def image_text(seen_HW: NDArray[np.bool_], columns: int, lines: int) -> str:
    """The cells of ``[height, width]`` with an event, shrunk alike in both directions."""
    height, width = seen_HW.shape
    shrunk = max(1, -(-width // (2 * columns)), -(-height // (4 * lines)))
    row, column = np.nonzero(seen_HW)
    dot_HW = np.zeros((-(-height // shrunk), -(-width // shrunk)), bool)
    dot_HW[row // shrunk, column // shrunk] = True
    return _text(dot_HW)


def _scaled(number: NDArray[np.int64], size: int, of: int) -> NDArray[np.int64]:
    """Numbers below ``of`` as numbers below ``size``, in floating point as the product may be
    beyond 64 bits."""
    return np.minimum(number * (size / of), size - 1).astype(np.int64)


def _text(dot_HW: NDArray[np.bool_]) -> str:
    height, width = dot_HW.shape
    padded = np.pad(dot_HW, ((0, -height % 4), (0, -width % 2)))
    cell = padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 2, 2)
    code = _BLANK + np.einsum("akbl,kl->ab", cell, _BITS)
    return "\n".join("".join(map(chr, row)) for row in code.tolist())
