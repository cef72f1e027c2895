"""Min-max downsampling of long curves for plots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def downsample(values: NDArray[np.floating], max_points: int) -> NDArray[np.intp]:
    """Selects at most ``max_points`` (4 or more) values that represent a curve.

    Returns the sorted indices of the selected values: the first and the last value, and minimum and
    maximum of each interval, so that no peak is lost. NaN is selected only if a whole interval is
    NaN.
    """
    assert max_points >= 4
    count = len(values)
    if count <= max_points:
        return np.arange(count)
    length = -(-count // ((max_points - 2) // 2))
    padded = np.full(length * -(-count // length), np.nan)
    padded[:count] = values
    rows = padded.reshape(-1, length)
    starts = np.arange(len(rows)) * length
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.concatenate([[0], starts + lowest, starts + highest, [count - 1]]))
