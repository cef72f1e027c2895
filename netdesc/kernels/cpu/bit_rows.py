"""An input's spikes as bits, row by row, in words of 64, as ``kernels.spike_words`` lays them out.

From words events are listed; where lists would take too much memory, a walk finds events in the
words themselves.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, as_ints, bits_of, load, spread
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.words import lowest, number_of, word_of
from netdesc.kernels.spike_words import BITS, SpikeWords, words_in

_NO_STARTS, _NO_SOURCES = np.empty(0, np.int64), np.empty(0, np.uint16)
_NONE, _SPIKE = np.int32(0), np.int32(0x3F800000)
_HALF = np.int64((1 << LANES) - 1)


def bytes_of(rows: int, columns: int) -> int:
    return 8 * rows * words_in(columns)


def events_of(rows: np.ndarray, batch: int) -> Events | None:
    """The events of an input [steps · batch, columns]; None where a value is neither 0 nor 1."""
    per_row = words_in(rows.shape[1])
    words, counts = take((len(rows) * per_row,), np.int64), np.empty(len(rows), np.int64)
    return _events(words, len(rows), batch) if pack(rows, words, counts) else None


def events_of_words(given: SpikeWords) -> Events:
    """The same of words that are there."""
    return _events(given.words, given.rows, given.shape[1])


def _events(words: np.ndarray, rows: int, batch: int) -> Events:
    steps, per_row = rows // batch, len(words) // rows
    return Events(False, steps, batch, per_row, _NO_STARTS, _NO_SOURCES, words)


def dense_rows(given: SpikeWords) -> SpikeRows:
    """Words of spikes, of which there are too many for events."""
    _, batch, *_ = given.shape
    words = given.words.astype("<i8", copy=False).view("<i4")  # the lower half first
    per_row = len(words) // given.rows
    of_places = batch * per_row, per_row, 1
    return SpikeRows(words[None], 0, given.rows, given.columns, batch, *of_places)


def counts_of(given: SpikeWords) -> np.ndarray:
    """How many events each row has."""
    counts = np.empty(given.rows, np.int64)
    _count(given.words, counts)
    return counts


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(words, counts):
    per_row = len(words) // len(counts)
    for row in numba.prange(len(counts)):
        found = 0
        for k in range(row * per_row, (row + 1) * per_row):
            found += number_of(words[k])
        counts[row] = found


def pack(rows: np.ndarray, words: np.ndarray, counts: np.ndarray) -> bool:
    """Fills ``words`` and, with how many events each row has, ``counts``.

    Returns whether all values are 0 or 1, to the bit.
    """
    _pack(rows.reshape(-1), rows.shape[1], words, counts)
    return bool(counts.min() >= 0)


@numba.njit(parallel=True, cache=True, nogil=True)
def _pack(values, columns, words, counts):
    """``counts`` is −1 for a row with another value."""
    rows = len(counts)
    per_row = (columns + BITS - 1) // BITS
    for row in numba.prange(rows):
        strange, found = spread(_NONE), 0
        for k in range(per_row):
            word = np.int64(0)
            for half in range(2):
                lo = k * BITS + half * LANES
                if lo < columns:
                    bits = bits_of(load(values, row * columns + lo, min(LANES, columns - lo)))
                    spiked = bits != spread(_NONE)
                    strange = strange | as_ints(spiked & (bits != spread(_SPIKE)))
                    word |= (np.int64(word_of(spiked)) & _HALF) << (half * LANES)
            words[row * per_row + k] = word
            found += number_of(word)
        counts[row] = -1 if word_of(strange != spread(_NONE)) else found


@numba.njit(parallel=True, cache=True, nogil=True)
def list_events(words, starts, sources):
    """Fill ``sources`` with the columns of each row's events, from where the row ``starts`` on."""
    rows = len(starts) - 1
    per_row = len(words) // rows
    for row in numba.prange(rows):
        at = starts[row]
        for k in range(per_row):
            word = words[row * per_row + k]
            while word:
                sources[at] = k * BITS + lowest(word)
                at += 1
                word &= word - 1
