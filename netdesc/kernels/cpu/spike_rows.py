"""Spikes as a factor of the matrix product: rows of bits, of which floats are made tile by tile.

As floats they would be thirty-two times as large, and often larger than all else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, cast_like, load, spread, store, where
from netdesc.kernels.cpu.words import lanes_of

Room = Callable[[tuple[int, ...], type[np.generic]], np.ndarray]


class SpikeRows(NamedTuple):
    """Rows ``first`` and on of a matrix [steps · batch, columns] of spikes, or how many there are.

    Row ``t · batch + b`` has its columns 32 k and on in the bits of ``words[d, t · by_step +
    b · by_sample + k · by_vector]``, for all binary digits d. Columns that are not there have no
    bits.
    """

    words: np.ndarray
    """int32 [digits, words]."""
    first: int
    rows: int
    columns: int
    batch: int
    by_step: int
    by_sample: int
    by_vector: int

    def part(self, first: int, last: int) -> SpikeRows:
        """Rows from one to before another."""
        return self._replace(first=self.first + first, rows=last - first)

    def floats(self, room: Room = take) -> np.ndarray:
        """All of them, float32 [rows, columns], in a ``room`` of that shape."""
        rows = room((self.rows, self.columns), np.float32)
        _unpack(self, rows)
        return rows

    def counts_BI(self) -> np.ndarray:
        """How many there are in all steps, float64 [samples, columns]; these are all rows."""
        assert self.first == 0, "steps begin with the first sample"
        counts_BI = np.empty((self.batch, self.columns))
        _count(self, self.rows // self.batch, counts_BI)
        return counts_BI

    def add_to(self, rows: np.ndarray, times: float = 1.0) -> None:
        """Adds all of them, each so many ``times``, to floats [rows, columns]."""
        _add(self, np.float32(times), rows)


@numba.njit(inline="always")
def lanes_of_row(given, at, column):
    """Floats of the columns from ``column`` on, 32 of them at most, where words are at ``at``."""
    word = at + column // LANES * given.by_vector
    one, none = spread(np.float32(1)), spread(np.float32(0))
    lanes = where(lanes_of(given.words[0, word] >> np.int32(column % LANES)), one, none)
    for digit in range(1, len(given.words)):
        has_it = lanes_of(given.words[digit, word] >> np.int32(column % LANES))
        lanes = lanes + where(has_it, spread(np.float32(1 << digit)), none)
    return lanes


@numba.njit(inline="always")
def unpack_rows(given, row, rows, column, columns, values, by_row):
    """Fills ``values``, flat, with a block of ``rows`` and ``columns``.

    ``column`` is a multiple of 16. Rows lie ``by_row`` apart; what follows in one means nothing.
    """
    t, b = (given.first + row) // given.batch, (given.first + row) % given.batch
    for r in range(rows):
        at = t * given.by_step + b * given.by_sample
        for c in range(0, columns, LANES):
            store(values, r * by_row + c, lanes_of_row(given, at, column + c), min(LANES, by_row))
        b += 1
        if b == given.batch:
            t, b = t + 1, 0


@numba.njit(parallel=True, cache=True, nogil=True)
def _unpack(given, rows):
    for row in numba.prange(len(rows)):
        values = rows[row]
        t, b = (given.first + row) // given.batch, (given.first + row) % given.batch
        at = t * given.by_step + b * given.by_sample
        for c in range(0, given.columns, LANES):
            store(values, c, lanes_of_row(given, at, c), min(LANES, given.columns - c))


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(given, steps, counts):
    vectors = (given.columns + LANES - 1) // LANES
    for item in numba.prange(given.batch * vectors):
        b, column = item // vectors, item % vectors * LANES
        total = spread(np.float64(0))
        for t in range(steps):
            lanes = lanes_of_row(given, t * given.by_step + b * given.by_sample, column)
            total = total + cast_like(lanes, total)
        store(counts[b], column, total, min(LANES, given.columns - column))


@numba.njit(parallel=True, cache=True, nogil=True)
def _add(given, times, rows):
    for row in numba.prange(len(rows)):
        values = rows[row]
        t, b = (given.first + row) // given.batch, (given.first + row) % given.batch
        at = t * given.by_step + b * given.by_sample
        for c in range(0, given.columns, LANES):
            n = min(LANES, given.columns - c)
            total = load(values, c, n) + spread(times) * lanes_of_row(given, at, c)
            store(values, c, total, n)
