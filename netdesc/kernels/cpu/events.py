"""From an input to event lists: for every row, the columns that are not zero."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import torch

from netdesc.kernels.cpu import bit_rows
from netdesc.kernels.cpu.arrivals import Events, column_type
from netdesc.kernels.cpu.buffers import BufferPool, mapped, scratch
from netdesc.kernels.cpu.lanes import LANES, bits_of, load, spread
from netdesc.kernels.cpu.words import number_of, word_of
from netdesc.kernels.event_lists import HEADER, list_size
from netdesc.kernels.spike_words import FEW_DIGITS, SpikeWords, words_in

_NO_WORDS = np.empty(0, np.int64)

_NONE, _HALF = np.int32(0), np.int64((1 << LANES) - 1)

_CPU = torch.device("cpu")


def _sparse_zeros(size: int) -> np.ndarray:
    """Zeros that take memory where they are touched; huge pages would take all of it."""
    return mapped(size, "MADV_NOHUGEPAGE")


_zeros = BufferPool(_sparse_zeros)
"""Memory that is 0 except where earlier passes have written, which is noted in it."""

_WORDS = 1 << 14
"""Words that are listed at a time: 128 kB, which stay in the cache, or a row that is longer."""

_PARTS = 64
"""Parts of an input that are counted independently."""

_GLANCE = 16
"""Of so many rows one is looked at first."""


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(values, every, columns, counts):
    """Values that are not +0, of a row in ``every`` so many, in as many parts as ``counts`` has."""
    rows, parts = (len(values) // columns + every - 1) // every, len(counts)
    for part in numba.prange(parts):
        found = 0
        for row in range(part * rows // parts, (part + 1) * rows // parts):
            first = row * every * columns
            for lo in range(0, columns, LANES):
                bits = bits_of(load(values, first + lo, min(LANES, columns - lo)))
                found += number_of(np.int64(word_of(bits != spread(_NONE))) & _HALF)
        counts[part] = found


def count(rows: np.ndarray, every: int = 1) -> int:
    """How many values [rows, columns] are not +0, of the first and each row ``every`` so many."""
    counts = np.empty(_PARTS, np.int64)
    _count(rows.reshape(-1), every, rows.shape[1], counts)
    return int(counts.sum())


def list_bytes(events: int, rows: int, columns: int) -> int:
    """What a list of so many events takes."""
    return 8 * (rows + 1) + events * np.dtype(column_type(columns)).itemsize


def _is_too_dense(rows: np.ndarray, densest: float) -> bool:
    """Whether more than that share of the values are events, where a glance at them says so.

    A list that is given up half made takes memory for nothing.
    """
    seen = -(-len(rows) // _GLANCE) * rows.shape[1]
    if count(rows, _GLANCE) <= densest * seen:
        return False
    return count(rows) > densest * rows.size


class EventLists:
    """The events of an input's ``rows`` [rows, columns], float32.

    A 3 is three events. ``pays`` tells whether all values are small counts, and no more events than
    the share ``densest`` of the values: else there is no list. ``packed`` holds it all in one int32
    array (see ``kernels.event_lists``), which a backward pass takes from its forward pass. It has
    room for a dense input but touches only what the events need.
    """

    __slots__ = ("packed", "pays", "sources", "starts")

    def __init__(self, rows: np.ndarray, densest: float) -> None:
        assert densest <= 1, "there is no room for more"
        self._begin(*rows.shape)

        def read(first: int, words: np.ndarray, counts: np.ndarray) -> bool:
            return bit_rows.pack(rows[first : first + len(counts)], words, counts)

        def lists(digits: int) -> bool:
            return self._list(read, digits, rows.shape[1], int(densest * rows.size))

        self.pays = (densest >= 1 or not _is_too_dense(rows, densest)) and (
            lists(1) or (1 < (digits := bit_rows.digits_in(rows)) <= FEW_DIGITS and lists(digits))
        )
        self._end()

    @classmethod
    def of_words(cls, given: SpikeWords, counts: np.ndarray) -> EventLists:
        """The events of spikes as words; ``counts`` has how many there are in each row."""
        per_row = words_in(given.columns)

        def read(first: int, words: np.ndarray, of_rows: np.ndarray) -> bool:
            words[:] = given.words[:, first * per_row : (first + len(of_rows)) * per_row]
            of_rows[:] = counts[first : first + len(of_rows)]
            return True

        lists = cls.__new__(cls)
        lists._begin(given.rows, given.columns)
        most = given.rows * given.columns
        lists.pays = lists._list(read, len(given.words), given.columns, most)
        lists._end()
        return lists

    def _begin(self, rows: int, columns: int) -> None:
        self._view(_zeros.take((list_size(_CPU, rows, columns),), np.int32), rows, columns)
        self.packed[:3] = 0, rows, columns
        self._will_write(HEADER)
        self.starts[0] = 0

    def _list(
        self,
        read: Callable[[int, np.ndarray, np.ndarray], bool],
        digits: int,
        columns: int,
        most: int,
    ) -> bool:
        """Whether all was listed: there are no more than ``most`` events, and all can be read.

        ``read`` fills words, of so many ``digits``, and counts of rows from the one that it is told
        (see ``bit_rows``).
        """
        per_row, rows = digits * words_in(columns), len(self.starts) - 1
        length = min(rows, max(1, _WORDS // per_row))
        room = scratch((length * per_row,), np.int64)
        for first in range(0, rows, length):
            last = min(rows, first + length)
            starts = self.starts[first : last + 1]
            words = room[: (last - first) * per_row].reshape(digits, -1)
            self._will_write(HEADER + 2 * (last + 1))
            if not read(first, words, starts[1:]):
                return False
            np.cumsum(starts, out=starts)
            if starts[-1] > most:
                return False
            self._will_write(self._end_of(int(starts[-1])))
            bit_rows.list_events(words, starts, self.sources)
        return True

    def _end_of(self, listed: int) -> int:
        """The number in ``packed`` after that of so many sources."""
        return HEADER + 2 * len(self.starts) + -(-listed * self.sources.itemsize // 4)

    @property
    def _written(self) -> np.ndarray:
        return self.packed[HEADER - 2 : HEADER].view(np.int64)

    def _will_write(self, end: int) -> None:
        """Note it first: whoever is interrupted leaves nothing that later passes do not know of."""
        self._written[0] = max(self._written[0], end)

    def _end(self) -> None:
        """Make 0 again what an earlier pass has written beyond this one, or this one in vain."""
        used = HEADER
        if self.pays:
            listed = int(self.starts[-1])
            used = self._end_of(listed)
            if listed * self.sources.itemsize % 4:
                self.sources[listed] = 0  # it shares a number with the last one that is listed
        self.packed[used : int(self._written[0])] = 0
        self._written[0] = used

    def _view(self, packed: np.ndarray, rows: int, columns: int) -> None:
        self.packed = packed
        first = HEADER + 2 * (rows + 1)
        self.starts = packed[HEADER:first].view(np.int64)
        self.sources = packed[first:].view(column_type(columns))

    def events(self, batch: int) -> Events:
        """For walks; rows are those of so many samples in each step."""
        steps = (len(self.starts) - 1) // batch
        return Events(True, steps, batch, 0, self.starts, self.sources, _NO_WORDS)

    def hand_over(self) -> torch.Tensor:
        """``packed`` for the backward pass, marked as holding events."""
        self.packed[0] = 1
        return torch.from_numpy(self.packed)

    def without(self) -> torch.Tensor:
        """``packed`` for a backward pass that is to do without the events."""
        return torch.from_numpy(self.packed)

    @classmethod
    def unpack(cls, packed: np.ndarray, rows: int) -> EventLists:
        """Binary event lists as an earlier pass found them."""
        lists = cls.__new__(cls)
        lists._view(packed, rows, int(packed[2]))
        lists.pays = True
        return lists
