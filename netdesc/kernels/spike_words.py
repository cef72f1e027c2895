"""An input's spikes, a bit each: a thirty-second of the memory of floats.

So samples of spikes come to an engine that finds its events in words, and no float is ever made of
them. Where spikes are counted, numbers are in binary: a bit for each digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 64

FEW_DIGITS = 6
"""Numbers that are added up one by one, as so many events: errors of larger ones would add up."""

MOST_DIGITS = 16
"""Of numbers with more than that no words are made: these would be half as large as floats."""

_BYTE = 8

_RUN = 1 << 16
"""Bits that are unpacked together."""


def words_in(columns: int) -> int:
    """Words of a row."""
    return -(-columns // BITS)


@dataclass(frozen=True, eq=False)
class SpikeWords:
    """Spikes of ``shape`` [steps, batch, …], or how many there are; they must not be changed.

    ``words`` has a row for each binary digit, the lowest first. In it, row ``step · batch +
    sample`` of the spikes has as many words as its ``columns`` need, the lowest bit of the first
    being column 0. Bits beyond the last column are 0.
    """

    shape: tuple[int, ...]
    words: NDArray[np.int64]

    @property
    def rows(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def columns(self) -> int:
        return math.prod(self.shape[2:])

    def dense(self) -> NDArray[np.float32]:
        """The same as floats [steps, batch, …]."""
        floats = unpacked(self._rows(0), self.columns).astype(np.float32)
        for digit in range(1, len(self.words)):
            floats += np.float32(1 << digit) * unpacked(self._rows(digit), self.columns)
        return floats.reshape(self.shape)

    def _rows(self, digit: int) -> NDArray[np.int64]:
        return self.words[digit].reshape(self.rows, -1)

    def runs_of_sample(self, sample: int) -> Iterator[NDArray[np.uint8]]:
        """One sample's, not 0 where there is a spike, a few steps at a time.

        That is [steps of the run, columns].
        """
        words_TX = np.bitwise_or.reduce(self.words, axis=0).reshape(*self.shape[:2], -1)[:, sample]
        return unpacked_runs(words_TX, self.columns)


def steps_in_run(columns: int) -> int:
    """How many steps are looked at together, so that they stay in a cache."""
    return max(1, _RUN // max(1, columns))


def unpacked_runs(words: NDArray[np.signedinteger], columns: int) -> Iterator[NDArray[np.uint8]]:
    """As ``unpacked``, some rows after the other."""
    rows = steps_in_run(columns)
    return (unpacked(words[at : at + rows], columns) for at in range(0, len(words), rows))


def unpacked(words: NDArray[np.signedinteger], columns: int) -> NDArray[np.uint8]:
    """Of words [rows, words of a row] the bits [rows, columns], the lowest first."""
    low_first = np.ascontiguousarray(words, words.dtype.newbyteorder("<"))
    return np.unpackbits(low_first.view(np.uint8), axis=1, count=columns, bitorder="little")


class WordRoom:
    """Words of spikes of ``shape``, as yet silent, seen byte by byte.

    ``bytes_TBK`` [steps, batch, bytes of a row] are those of the lowest digit: column c is bit
    ``c % 8`` of byte ``c // 8``.
    """

    def __init__(self, shape: tuple[int, ...], digits: int = 1) -> None:
        self._shape = shape
        per_row = BITS // _BYTE * words_in(math.prod(shape[2:]))
        self._bytes_DTBK = np.zeros((digits, *shape[:2], per_row), np.uint8)

    @property
    def bytes_TBK(self) -> NDArray[np.uint8]:
        return self._bytes_DTBK[0]

    def add(self, step: NDArray, sample: NDArray | int, column: NDArray, digit: int = 0) -> None:
        """Spikes by where they are; no place may get a digit twice."""
        bytes_TBK = self._bytes_DTBK[digit]
        _, batch, per_row = bytes_TBK.shape
        row = step.astype(np.int64) * batch + sample
        bit = np.left_shift(1, column % _BYTE, dtype=np.uint8, casting="unsafe")
        np.add.at(bytes_TBK.reshape(-1), row * per_row + column // _BYTE, bit)

    def words(self) -> SpikeWords:
        words = self._bytes_DTBK.reshape(len(self._bytes_DTBK), -1).view("<i8")
        return SpikeWords(self._shape, words.astype(np.int64, copy=False))


def packed(spikes: NDArray) -> NDArray[np.uint8]:
    """Spikes [… , columns], not 0 where there is one, as the bytes of ``WordRoom``, without pads.

    The last axis gets as many bytes as are needed.
    """
    return np.packbits(spikes != 0, axis=-1, bitorder="little")
