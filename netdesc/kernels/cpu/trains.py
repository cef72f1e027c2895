"""Binary spikes as words, a bit each: a thirty-second of the memory of floats.

Between the layers of a chain nothing else is needed: a layer adds up weights by events, and those
are quickly listed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numba
import numpy as np
import torch

from netdesc.kernels.cpu import bit_rows
from netdesc.kernels.cpu.arrivals import Events, column_type
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, as_ints, bits_of, element, load, spread
from netdesc.kernels.cpu.spike_rows import Room, SpikeRows
from netdesc.kernels.cpu.tape import run
from netdesc.kernels.cpu.words import lowest, number_of, word_of
from netdesc.kernels.spike_words import BITS, SpikeWords, steps_in_run, unpacked_runs

_NONE, _WORD = np.int32(0), np.int64((1 << LANES) - 1)
_SPIKE = np.int32(0x3F800000)
"""The bits of 1.0 as a 32-bit float."""

_NO_WORDS = np.empty(0, np.int64)

EXACT = 1 << 24
"""Floats are sums of fewer spikes to the bit, in any order."""

_FEW_PARTS = 8
"""Of a batch: so many times samples are added up to find out how large their sums are."""


class SpikeTrains:
    """Spikes [steps, batch, neurons] that are 0 or 1.

    ``words`` is flat, [batch · vectors, steps]: a word holds one step of a vector of neurons.
    """

    __slots__ = ("shape", "words")

    def __init__(self, shape: tuple[int, int, int], words: np.ndarray) -> None:
        self.shape, self.words = shape, words

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def digits(self) -> np.ndarray:
        """As those of a ``SpikeSum``."""
        return self.words[None]

    @property
    def most(self) -> int:
        """How many there can be in a cell."""
        return 1

    def digit_by_digit(self) -> Iterator[np.ndarray]:
        """As ``digits``, each good until the next."""
        yield self.words

    @property
    def rows(self) -> SpikeRows:
        """Time-first."""
        return _rows_of(self.digits, self.shape)

    @property
    def parts(self) -> Sequence[tuple[_Part, int]]:
        """Of a sum, and how often each is in it."""
        return [(self, 1)]

    @classmethod
    def room(cls, steps: int, batch: int, neurons: int) -> SpikeTrains:
        """Trains with arbitrary contents."""
        shape = steps, batch, neurons
        return cls(shape, take((_words_in(shape),), np.int32))

    @classmethod
    def of(cls, values_TBN: np.ndarray, words: np.ndarray | None = None) -> SpikeTrains | None:
        """The same spikes, in ``words`` if given; None where a value is neither 0 nor 1."""
        steps, batch, neurons = values_TBN.shape
        trains = cls.room(steps, batch, neurons) if words is None else cls(values_TBN.shape, words)
        odd = np.empty(batch * -(-neurons // LANES), np.bool_)
        _pack(values_TBN.reshape(-1), steps, batch, neurons, trains.words, odd)
        return None if odd.any() else trains

    @classmethod
    def of_words(cls, given: SpikeWords) -> SpikeTrains:
        """Of the lowest digit."""
        steps, batch, *_ = given.shape
        trains = cls.room(steps, batch, given.columns)
        _turn(given.words[0], 0, batch, *trains.shape, trains.words)
        return trains

    def samples(self, first: int, last: int) -> SpikeTrains:
        """The same of samples from ``first`` to before ``last``."""
        steps, batch, neurons = self.shape
        rows = self.words.reshape(batch, -1)[first:last]
        return SpikeTrains((steps, last - first, neurons), rows.reshape(-1))

    def runs_of_sample(self, sample: int) -> Iterator[np.ndarray]:
        """One sample's, 0 or 1, a few steps at a time: uint8 [steps of the run, neurons]."""
        steps, _, neurons = self.shape
        words = self.samples(sample, sample + 1).words.reshape(-1, steps).T
        return unpacked_runs(words, neurons)


def _roomy(spikes: int) -> int:
    """Room for as many and some more, so that about as many fit into the same the next time."""
    part = 1 << max(10, spikes.bit_length() - 4)
    return -(-spikes // part) * part


class GivenSpikes:
    """Spikes of an input or a target, in the words that they came in; or of some samples of it."""

    __slots__ = ("_first", "_given", "shape")

    def __init__(self, given: SpikeWords, first: int = 0, last: int | None = None) -> None:
        steps, batch, *_ = given.shape
        self._given, self._first = given, first
        self.shape = steps, (batch if last is None else last) - first, given.columns

    @property
    def most(self) -> int:
        """How many there can be in a cell."""
        return (1 << len(self._given.words)) - 1

    @property
    def digits(self) -> np.ndarray:
        """As those of a ``SpikeSum``, made for whoever asks."""
        digits = take((len(self._given.words), _words_in(self.shape)), np.int32)
        for words, of_digit in zip(self._given.words, digits, strict=True):
            self._turn(words, of_digit)
        return digits

    def digit_by_digit(self) -> Iterator[np.ndarray]:
        """The same, each good until the next."""
        turned = take((_words_in(self.shape),), np.int32)
        for words in self._given.words:
            self._turn(words, turned)
            yield turned

    def _turn(self, words: np.ndarray, turned: np.ndarray) -> None:
        _turn(words, self._first, self._given.shape[1], *self.shape, turned)

    @property
    def rows(self) -> SpikeRows:
        """Time-first."""
        (steps, batch, _), given = self.shape, self._given.words
        if batch == self._given.shape[1]:
            return bit_rows.dense_rows(self._given)
        last = self._first + batch
        some = given.reshape(len(given), steps, self._given.shape[1], -1)[:, :, self._first : last]
        words = np.ascontiguousarray(some).reshape(len(given), -1)
        return bit_rows.dense_rows(SpikeWords(self.shape, words))

    def samples(self, first: int, last: int) -> GivenSpikes:
        """The same of samples from ``first`` to before ``last``."""
        return GivenSpikes(self._given, self._first + first, self._first + last)


class SpikeSum:
    """The sum, cell by cell, of spikes of one ``shape``: [steps, batch, neurons] of 0, 1, 2, …"""

    def __init__(self, added: Sequence[tuple[_Part, int]]) -> None:
        self._added, self.shape = added, added[0][0].shape

    @classmethod
    def of(cls, added: Sequence[Spikes], times: Sequence[int] | None = None) -> SpikeSum:
        """Each so many times, or once."""
        pairs = zip(added, times or [1] * len(added), strict=True)
        return cls([(part, n * often) for each, often in pairs for part, n in each.parts])

    @classmethod
    def of_counts(cls, values_TBN: np.ndarray) -> SpikeSum | None:
        """The same numbers; None where they are not 0, 1, 2, … or some are larger than 65,535."""
        words = bit_rows.words_of(values_TBN)
        return None if words is None else cls.of_words(words)

    @classmethod
    def of_words(cls, given: SpikeWords) -> SpikeSum:
        return cls([(GivenSpikes(given), 1)])

    @property
    def parts(self) -> Sequence[tuple[_Part, int]]:
        return self._added

    @property
    def most(self) -> int:
        """How many there can be in a cell."""
        return sum(each.most * times for each, times in self._added)

    def has_at_most(self, digits: int) -> bool:
        """Whether no cell's number has more binary digits."""
        if self.most.bit_length() <= digits:
            return True
        batch = self.shape[1]
        parts = range(0, batch, max(1, batch // _FEW_PARTS))
        return all(
            len(self.samples(first, min(batch, first + parts.step)).digits) <= digits
            for first in parts
        )

    @cached_property
    def digits(self) -> np.ndarray:
        """Words as those of trains, for each binary digit of the largest sum, the lowest first.

        They are made for the first who asks.
        """
        (first, of_first), *others = self._added
        if not others and of_first == 1:
            return first.digits
        size = _words_in(self.shape)
        total, carried = take((self.most.bit_length(), size), np.int32), take((2, size), np.int32)
        total[:] = 0
        for each, times in self._added:
            places = [place for place in range(times.bit_length()) if times >> place & 1]
            for digit, words in enumerate(each.digit_by_digit()):
                for place in places:
                    _add_to(total[place + digit :], words, carried)
        needed = len(total)
        while needed > 1 and not total[needed - 1].any():
            needed -= 1
        return total[:needed]

    def events(self, spikes: int) -> Events:
        """As lists; there are no more than so many ``spikes``."""
        steps, batch, neurons = self.shape
        starts, kind = take((steps * batch + 1,), np.int64), column_type(neurons)
        signed = np.int16 if kind is np.uint16 else np.int32
        sources = take((_roomy(spikes),), signed).view(kind)
        fits = run(_list, self.digits, steps, batch, neurons, starts, sources)
        assert fits, "there are more spikes than were counted"
        return Events(True, steps, batch, 0, starts, sources, _NO_WORDS)

    @property
    def rows(self) -> SpikeRows:
        """All added up, time-first."""
        return _rows_of(self.digits, self.shape)

    def floats(self, room: Room = take, first: int = 0, last: int | None = None) -> np.ndarray:
        """Rows from ``first`` to before ``last``, float32 [rows, neurons], in a ``room`` of that.

        Parts are added up as floats: whole numbers, which are the same in any order.
        """
        (of_first, times), *others = [
            (rows.part(first, rows.rows if last is None else last), times)
            for rows, times in ((each.rows, times) for each, times in self._added)
        ]
        floats = of_first.floats(room)
        if times > 1:
            floats *= times
        for rows, of_rows in others:
            rows.add_to(floats, of_rows)
        return floats

    @property
    def rates_BN(self) -> torch.Tensor:
        """How many there are a step, float32 [batch, neurons]."""
        return torch.from_numpy(self.counts_BN.astype(np.float32)) / self.shape[0]

    @cached_property
    def counts_BN(self) -> np.ndarray:
        """How many there are, float64 [batch, neurons]."""
        _, batch, neurons = self.shape
        counts_BN = np.zeros((batch, neurons))
        for each, times in self._added:
            counts_BN += each.rows.counts_BI() * times
        return counts_BN

    def samples(self, first: int, last: int) -> SpikeSum:
        """The same of samples from ``first`` to before ``last``."""
        return SpikeSum([(each.samples(first, last), times) for each, times in self._added])

    def runs_of_sample(self, sample: int) -> Iterator[np.ndarray]:
        """One sample's, a few steps at a time: float32 [steps of the run, neurons]."""
        (steps, _, neurons), of_sample = self.shape, self.samples(sample, sample + 1)
        length = max(1, steps_in_run(neurons) // 4)  # floats are four times as large as bytes
        for first in range(0, steps, length):
            yield of_sample.floats(take, first, min(steps, first + length))


def _words_in(shape: tuple[int, int, int]) -> int:
    """Of one digit."""
    steps, batch, neurons = shape
    return batch * -(-neurons // LANES) * steps


def _rows_of(digits: np.ndarray, shape: tuple[int, int, int]) -> SpikeRows:
    steps, batch, neurons = shape
    of_places = 1, -(-neurons // LANES) * steps, steps
    return SpikeRows(digits, 0, steps * batch, neurons, batch, *of_places)


def _add_to(total: np.ndarray, words: np.ndarray, room: np.ndarray) -> None:
    """Adds ``words`` to the lowest of these digits, and what is carried to those above it."""
    for place, digit in enumerate(total):
        carried = np.bitwise_and(digit, words, out=room[place % 2])
        digit ^= words
        if not carried.any():
            return
        words = carried
    assert not words.any(), "there is no digit for what is carried"


Sum = SpikeSum | np.ndarray
"""Of spikes; or floats [steps, batch, neurons], which nobody else needs, where there is more to it.
"""

_Part = SpikeTrains | GivenSpikes
"""What a sum is of."""

Spikes = SpikeTrains | SpikeSum
"""Of an output that is no floats."""


def rows_of_sum(added: Sequence[Spikes]) -> SpikeRows:
    """The sum, cell by cell, of spikes of one shape, time-first."""
    return SpikeSum.of(added).rows


@numba.njit(parallel=True, cache=True, nogil=True)
def _pack(values, steps, batch, neurons, words, odd):
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        strange = spread(_NONE)
        for t in range(steps):
            bits = bits_of(load(values, (t * batch + b) * neurons + lo, n))
            spiked = bits != spread(_NONE)
            strange = strange | as_ints(spiked & (bits != spread(_SPIKE)))
            words[item * steps + t] = word_of(spiked)
        odd[item] = word_of(strange != spread(_NONE)) != 0


@numba.njit(parallel=True, cache=True, nogil=True)
def _list(digits, steps, batch, neurons, starts, sources):
    """Fill ``sources`` with the neurons of each row's spikes, from where the row ``starts`` on.

    Returns whether there is room for them; else there is none written.
    """
    vectors, rows = (neurons + LANES - 1) // LANES, steps * batch
    for row in numba.prange(rows):
        t, b = row // batch, row % batch
        found = 0
        for digit in range(len(digits)):
            for vector in range(vectors):
                word = element(digits[digit], (b * vectors + vector) * steps + t)
                found += number_of(np.int64(word) & _WORD) << digit
        starts[row + 1] = found
    starts[0] = 0
    for row in range(rows):
        starts[row + 1] += starts[row]
    if starts[rows] > len(sources):
        return False
    for row in numba.prange(rows):
        t, b = row // batch, row % batch
        at = starts[row]
        for digit in range(len(digits)):
            for vector in range(vectors):
                word = np.int64(element(digits[digit], (b * vectors + vector) * steps + t)) & _WORD
                while word:
                    for _ in range(1 << digit):
                        sources[np.uint64(at)] = vector * LANES + lowest(word)
                        at += 1
                    word &= word - 1
    return True


@numba.njit(parallel=True, cache=True, nogil=True)
def _turn(words, first, of_step, steps, batch, neurons, trains):
    """From words of 64 neurons, row by row, to ``trains``.

    They are of so many samples ``of_step``, and turned from the ``first`` on.
    """
    vectors, per_row = (neurons + LANES - 1) // LANES, (neurons + BITS - 1) // BITS
    for item in numba.prange(batch * vectors):
        b, vector = item // vectors, item % vectors
        for t in range(steps):
            row = t * of_step + first + b
            word = words[row * per_row + vector * LANES // BITS]
            trains[item * steps + t] = np.int32(word >> (vector * LANES % BITS))
