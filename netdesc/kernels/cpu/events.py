"""From a dense spike tensor to event lists: for every row, the columns that are not zero."""

from __future__ import annotations

import contextlib
import math
import mmap

import numba
import numpy as np
import torch

from netdesc.kernels.cpu.buffers import BufferPool
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.words import lowest
from netdesc.kernels.event_lists import HEADER, PARTS, list_size

_CHUNK = 16
"""Columns that are looked at together: one AVX-512 register of floats."""

_CPU = torch.device("cpu")


def _sparse_zeros(size: int, dtype: type[np.uint8]) -> np.ndarray:
    """Zeros that take memory where they are touched.

    Huge pages, which Linux may hand out, would take all of it: each part of the list begins a page.
    """
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages does not know the advice
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype)


_zeros = BufferPool(_sparse_zeros)
"""Memory that is 0 except where earlier passes have written, which is noted in it."""

_ONE = np.uint32(0x3F800000)
"""The bits of 1.0 as a 32-bit float."""

_WORD = np.int64((1 << LANES) - 1)

_LEAST = 1 << 16
"""Values that a part is made of: each takes memory from where it begins, in whole pages."""

_GLANCE = 16
"""Of so many rows one is looked at first."""


@numba.njit(inline="always")
def _append(bits, first, width, sources, at, odd_bits):
    """Append the non-zero columns, without a branch; notes whether one is not exactly 1."""
    for c in range(first, first + width):
        sources[at] = c
        at += np.int64(bits[c] != 0)
        odd_bits |= np.uint32((bits[c] != 0) & (bits[c] != _ONE))
    return at, odd_bits


@numba.njit(parallel=True, cache=True, nogil=True)
def _list_events(bits_RC, most, sources, starts, ends, written, parts):
    """Fill ``sources``, ``starts`` and ``ends``; ``written`` [parts] is where the last pass ended.

    What that pass left is made 0 again, so that the list is the same for equal inputs. A part with
    more than ``most`` events is counted to its end, but not listed to its end. Returns whether all
    is listed, the number of events, and whether each is 1; ``parts`` [parts, 2] is for its own use.
    """
    rows, columns = bits_RC.shape
    whole = columns - columns % _CHUNK
    per_part = (rows + len(parts) - 1) // len(parts)
    for part in numba.prange(len(parts)):
        first_row = part * per_part
        # One spare entry a part: appending writes an entry before it knows whether to keep it.
        at = first_row * columns + part
        for left_over in range(at, written[part]):
            sources[left_over] = 0
        odd = np.uint32(0)
        beyond = 0
        for r in range(first_row, min(rows, first_row + per_part)):
            bits = bits_RC[r]
            if at - first_row * columns - part > most:
                starts[r] = ends[r] = at
                for c in range(columns):
                    beyond += np.int64(bits[c] != 0)
                continue
            starts[r] = at
            for first in range(0, whole, _CHUNK):
                some = np.uint32(0)
                for c in range(_CHUNK):
                    some = np.uint32(some | bits[first + c])
                if some:
                    at, odd = _append(bits, first, _CHUNK, sources, at, odd)
            at, odd = _append(bits, whole, columns - whole, sources, at, odd)
            ends[r] = at
        if first_row < rows:
            written[part] = at + 1
        parts[part, 0] = at - first_row * columns - part + beyond
        parts[part, 1] = odd
    count, largest, odd_count = 0, 0, 0
    for part in range(len(parts)):
        count += parts[part, 0]
        largest = max(largest, parts[part, 0])
        odd_count += parts[part, 1] != 0
    return largest <= most, count, odd_count == 0


@numba.njit(parallel=True, cache=True, nogil=True)
def _list_words(words, steps, batch, columns, parts, sources, starts, ends, written):
    """As ``_list_events``, of spike trains, all of them, in a number of ``parts``."""
    rows, vectors = steps * batch, (columns + LANES - 1) // LANES
    per_part = (rows + parts - 1) // parts
    for part in numba.prange(parts):
        first_row = part * per_part
        at = first_row * columns + part
        for left_over in range(at, written[part]):
            sources[left_over] = 0
        for row in range(first_row, min(rows, first_row + per_part)):
            starts[row] = at
            step, first_item = row // batch, row % batch * vectors
            for vector in range(vectors):
                word = np.int64(words[(first_item + vector) * steps + step]) & _WORD
                while word:
                    sources[at] = vector * LANES + lowest(word)
                    at += 1
                    word &= word - 1
            ends[row] = at
        if first_row < rows:
            written[part] = at


def _is_too_dense(values: np.ndarray, densest: float) -> bool:
    """Whether more than that share of the values are events, where a glance at them says so.

    A list that is given up half made takes memory for nothing.
    """
    some = values[::_GLANCE]
    if np.count_nonzero(some) <= densest * some.size:
        return False
    return bool(np.count_nonzero(values) > densest * values.size)


def _number(columns: int) -> type[np.generic]:
    """The type of a column's number in a list, the shortest that will do."""
    return np.uint16 if columns <= 1 << 16 else np.int32


def _parts(size: int) -> int:
    """How many parts the list of so many values has: a power of 2, shared evenly by threads."""
    return min(PARTS, 1 << max(0, math.ceil(size / _LEAST) - 1).bit_length())


class EventLists:
    """The events of ``values`` [rows, columns], float32: row r has ``sources[starts[r]:ends[r]]``.

    ``pays`` tells whether no event is anything but 1, and no more than the share ``densest`` of the
    values are events: else the list is of no use and may not be complete. It reserves room for a
    dense tensor but touches only what the events need. ``packed`` holds it all in one int32 array
    (see ``kernels.event_lists``), which a backward pass takes from its forward pass.
    """

    __slots__ = ("ends", "packed", "pays", "sources", "starts")

    def __init__(self, values: np.ndarray, densest: float) -> None:
        rows, columns = values.shape
        self._view(_zeros.take((list_size(_CPU, rows, columns),), np.int32), rows, columns)
        self._clear(rows, columns)
        self.pays = not _is_too_dense(values, densest)
        if not self.pays:
            return
        # Most inputs are about as dense everywhere. One that is too dense is not worth its list,
        # one that is too dense in a part only is listed once more.
        share = math.ceil(densest * -(-rows // _parts(values.size)) * columns)
        is_whole, count, self.pays = self._list(values, share)
        self.pays &= count <= densest * values.size
        if self.pays and not is_whole:
            _, _, self.pays = self._list(values, values.size)

    @classmethod
    def of_trains(cls, trains: SpikeTrains) -> EventLists:
        """The events of spike trains, of which there should not be too many."""
        steps, batch, columns = trains.shape
        rows = steps * batch
        lists = cls.__new__(cls)
        lists._view(_zeros.take((list_size(_CPU, rows, columns),), np.int32), rows, columns)
        lists._clear(rows, columns)
        _list_words(
            trains.words,
            *trains.shape,
            _parts(trains.size),
            lists.sources,
            lists.starts,
            lists.ends,
            lists._written,
        )
        lists.pays = True
        return lists

    @property
    def _written(self) -> np.ndarray:
        return self.packed[HEADER - 2 * PARTS : HEADER].view(np.int64)

    def _list(self, values: np.ndarray, most: int) -> tuple[bool, int, bool]:
        """Whether all is listed, the number of events, and whether each event is 1."""
        parts = np.empty((_parts(values.size), 2), np.int64)
        bits = values.view(np.uint32)
        return _list_events(bits, most, self.sources, self.starts, self.ends, self._written, parts)

    def _clear(self, rows: int, columns: int) -> None:
        """Take leave of an earlier pass; one over an input of another form left other places."""
        self.packed[0] = 0
        before = int(self.packed[1]), int(self.packed[2])
        if before not in ((0, 0), (rows, columns)):
            self.packed[:] = 0
        self.packed[1:3] = rows, columns

    def _view(self, packed: np.ndarray, rows: int, columns: int) -> None:
        self.packed = packed
        bounds = packed[HEADER : HEADER + 4 * rows].view(np.int64)
        self.starts, self.ends = bounds[:rows], bounds[rows:]
        self.sources = packed[HEADER + 4 * rows :].view(_number(columns))

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
