"""From a dense spike tensor to event lists: for every row, the columns that are not zero."""

from __future__ import annotations

import numba
import numpy as np

_CHUNK = 16
"""Columns that are looked at together: one AVX-512 register of floats."""

_PARTS = 64
"""Runs of rows that are listed independently, each into its own stretch of the list."""


@numba.njit(inline="always")
def _append(row, first, width, sources, at):
    """Append the non-zero columns without a branch; returns the new end and a graded flag."""
    graded = np.int32(0)
    for c in range(first, first + width):
        x = row[c]
        sources[at] = c
        at += np.int64(x != np.float32(0))
        graded |= np.int32((x != np.float32(0)) & (x != np.float32(1)))
    return at, graded


@numba.njit(parallel=True, cache=True, nogil=True)
def _list(values, sources, starts, ends, graded):
    rows, columns = values.shape
    whole = columns - columns % _CHUNK
    per_part = (rows + _PARTS - 1) // _PARTS
    for part in numba.prange(_PARTS):
        first_row = part * per_part
        # One spare entry a part: appending writes an entry before it knows whether to keep it.
        at = first_row * columns + part
        for r in range(first_row, min(rows, first_row + per_part)):
            row = values[r]
            starts[r] = at
            for first in range(0, whole, _CHUNK):
                some = np.int32(0)
                for c in range(_CHUNK):
                    some |= np.int32(row[first + c] != np.float32(0))
                if some:
                    at, other = _append(row, first, _CHUNK, sources, at)
                    graded[part] |= other
            at, other = _append(row, whole, columns - whole, sources, at)
            graded[part] |= other
            ends[r] = at


class EventLists:
    """The events of ``values`` [rows, columns]: row r's columns are ``sources[starts[r]:ends[r]]``.

    ``binary`` tells whether every event is exactly 1; ``count`` is the number of events. The list
    reserves room for a dense tensor but touches only what the events need.
    """

    __slots__ = ("binary", "count", "ends", "sources", "starts")

    def __init__(self, values: np.ndarray) -> None:
        rows, columns = values.shape
        self.sources = np.empty(rows * columns + _PARTS, np.int32)
        self.starts = np.empty(rows, np.int64)
        self.ends = np.empty(rows, np.int64)
        graded = np.zeros(_PARTS, np.int32)
        _list(values, self.sources, self.starts, self.ends, graded)
        self.binary = not graded.any()
        self.count = int((self.ends - self.starts).sum())
