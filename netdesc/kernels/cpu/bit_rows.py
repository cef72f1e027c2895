"""An input's spikes as bits, row by row, in words of 64, as ``kernels.spike_words`` lays them out.

Where spikes are counted, there are several digits of them.

From words events are listed; where lists would take too much memory, a walk finds events in the
words themselves.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, as_ints, bits_of, largest, load, spread, where
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.words import lowest, number_of, word_of
from netdesc.kernels.spike_words import BITS, MOST_DIGITS, SpikeWords, words_in

_NO_STARTS, _NO_SOURCES = np.empty(0, np.int64), np.empty(0, np.uint16)
_NONE, _SPIKE = np.int32(0), np.int32(0x3F800000)
_HALF = np.int64((1 << LANES) - 1)


def bytes_of(rows: int, columns: int) -> int:
    return 8 * rows * words_in(columns)


def words_of(values_TBN: np.ndarray) -> SpikeWords | None:
    """Spikes, or how many there are, as words; None of too large numbers, or others."""
    columns = values_TBN.shape[2]
    rows = values_TBN.reshape(-1, columns)
    digits = digits_in(rows)
    words = take((max(1, digits), len(rows) * words_in(columns)), np.int64)
    fits = digits >= 0 and pack(rows, words, np.empty(len(rows), np.int64))
    return SpikeWords(values_TBN.shape, words) if fits else None


def events_of_words(given: SpikeWords) -> Events:
    (steps, batch, *_), per_row = given.shape, words_in(given.columns)
    words = given.words[0] if len(given.words) == 1 else given.words
    return Events(False, steps, batch, per_row, _NO_STARTS, _NO_SOURCES, words)


def dense_rows(given: SpikeWords) -> SpikeRows:
    """Words of spikes, of which there are too many for events."""
    _, batch, *_ = given.shape
    words = given.words.astype("<i8", copy=False).view("<i4")  # the lower half first
    per_row = words.shape[1] // given.rows
    of_places = batch * per_row, per_row, 1
    return SpikeRows(words, 0, given.rows, given.columns, batch, *of_places)


def counts_of(given: SpikeWords) -> np.ndarray:
    """How many events each row has."""
    counts = np.empty(given.rows, np.int64)
    _count(given.words, counts)
    return counts


def digits_in(rows: np.ndarray) -> int:
    """How many digits these counts [rows, columns] have at most.

    It is −1 where these are too many. Of numbers that are no counts it says nothing.
    """
    most = np.empty(len(rows), np.int32)
    _find_most(rows.reshape(-1), most)
    found = most.max().view(np.float32)
    return int(found).bit_length() if found < 1 << MOST_DIGITS else -1


@numba.njit(parallel=True, cache=True, nogil=True)
def _find_most(values, most):
    """The bits of each row's largest number, if that is above 0.

    Of such numbers the larger one has the larger bits, and of others the sign is set.
    """
    rows = len(most)
    columns = len(values) // rows
    for row in numba.prange(rows):
        found = spread(_NONE)
        for lo in range(0, columns, LANES):
            bits = bits_of(load(values, row * columns + lo, min(LANES, columns - lo)))
            found = where(bits > found, bits, found)
        most[row] = largest(found)


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(words, counts):
    per_row = words.shape[1] // len(counts)
    for row in numba.prange(len(counts)):
        found = 0
        for digit in range(len(words)):
            for k in range(row * per_row, (row + 1) * per_row):
                found += number_of(words[digit, k]) << digit
        counts[row] = found


def pack(rows: np.ndarray, words: np.ndarray, counts: np.ndarray) -> bool:
    """Fills ``words`` of all digits and, with how many events each row has, ``counts``.

    Returns whether all values are 0, 1, or what else those digits can tell, to the bit.
    """
    kernel = _pack if len(words) == 1 else _part
    kernel(rows.reshape(-1), rows.shape[1], words, counts)
    return bool(counts.min() >= 0)


@numba.njit(parallel=True, cache=True, nogil=True)
def _pack(values, columns, words, counts):
    """``counts`` is −1 for a row with another value."""
    rows, words = len(counts), words[0]
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
def _part(values, columns, words, counts):
    """The same for several digits."""
    rows, none = len(counts), spread(np.float32(0))
    per_row = (columns + BITS - 1) // BITS
    for row in numba.prange(rows):
        strange, found = spread(_NONE), 0
        for lo in range(0, columns, BITS):
            k, first, halves = row * per_row + lo // BITS, row * columns + lo, columns - lo
            low, high = load(values, first, min(LANES, halves)), none
            if halves > LANES:
                high = load(values, first + LANES, min(LANES, halves - LANES))
            for digit in range(len(words) - 1, -1, -1):
                power = spread(np.float32(1 << digit))
                is_low, is_high = low >= power, high >= power
                word = np.int64(word_of(is_low)) & _HALF
                word |= np.int64(word_of(is_high)) << LANES
                words[digit, k] = word
                found += number_of(word) << digit
                low = low - where(is_low, power, none)
                high = high - where(is_high, power, none)
            left = (bits_of(low) != spread(_NONE)) | (bits_of(high) != spread(_NONE))
            strange = strange | as_ints(left)
        counts[row] = -1 if word_of(strange != spread(_NONE)) else found


@numba.njit(parallel=True, cache=True, nogil=True)
def list_events(words, starts, sources):
    """Fill ``sources`` with the columns of each row's events, from where the row ``starts`` on."""
    rows = len(starts) - 1
    per_row = words.shape[1] // rows
    for row in numba.prange(rows):
        at = starts[row]
        for digit in range(len(words)):
            for k in range(per_row):
                word = words[digit, row * per_row + k]
                while word:
                    for _ in range(1 << digit):
                        sources[at] = k * BITS + lowest(word)
                        at += 1
                    word &= word - 1
