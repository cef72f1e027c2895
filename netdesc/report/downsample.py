"""Curves of a million points as curves of a thousand that look the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def downsample(values: NDArray[np.floating], most: int) -> NDArray[np.intp]:
    """At most ``most`` (4 or more) indices of ``values``, in order, by which to draw them.

    Of each stretch the smallest and the largest value stay, so that no peak and no minimum is
    lost, and the first and the last. NaN is drawn as a gap only where a whole stretch is NaN.
    """
    assert most >= 4
    count = len(values)
    if count <= most:
        return np.arange(count)
    length = -(-count // ((most - 2) // 2))
    padded = np.full(length * -(-count // length), np.nan)
    padded[:count] = values
    rows = padded.reshape(-1, length)
    starts = np.arange(len(rows)) * length
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.concatenate([[0], starts + lowest, starts + highest, [count - 1]]))
