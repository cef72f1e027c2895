"""Views of flat memory for Numba: a vector of neurons over time, or a matrix.

Tensors over time are flat and time-first: [steps, batch, neurons].
"""

from typing import NamedTuple

import numpy as np


class Strided(NamedTuple):
    """Numbers of ``size`` neighbouring neurons of a sample over time, in flat memory.

    The numbers of step t begin at ``numbers[start + t · stride]``.
    """

    numbers: np.ndarray
    start: int
    stride: int
    size: int


class Matrix(NamedTuple):
    """A matrix in flat memory; entry (i, j) is ``numbers[start + i · by_row + j · by_column]``."""

    numbers: np.ndarray
    start: int
    by_row: int
    by_column: int


def matrix_of(array: np.ndarray) -> Matrix:
    """Converts an array whose rows or columns are contiguous to a ``Matrix``."""
    if array.flags.c_contiguous:
        return Matrix(array.reshape(-1), 0, array.shape[1], 1)
    assert array.flags.f_contiguous, "neither rows nor columns are contiguous"
    return Matrix(array.T.reshape(-1), 0, 1, array.shape[0])
