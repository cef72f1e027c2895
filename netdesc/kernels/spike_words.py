"""An input's spikes that are 0 or 1, a bit each: a thirty-second of the memory of floats.

So samples of spikes come to an engine that finds its events in words, and no float is ever made of
them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 64

_BYTE = 8

_RUN = 1 << 16
"""Bits that are unpacked together."""


def words_in(columns: int) -> int:
    """Words of a row."""
    return -(-columns // BITS)


@dataclass(frozen=True, eq=False)
class SpikeWords:
    """Spikes of ``shape`` [steps, batch, …]; they must not be changed.

    ``words`` is flat: row ``step · batch + sample`` has as many as its ``columns`` need, the lowest
    bit of the first being column 0. Bits beyond the last column are 0.
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
        bits = unpacked(self.words.reshape(self.rows, -1), self.columns)
        return bits.astype(np.float32).reshape(self.shape)

    def runs_of_sample(self, sample: int) -> Iterator[NDArray[np.uint8]]:
        """One sample's, 0 or 1, a few steps at a time: [steps of the run, columns]."""
        return unpacked_runs(self.words.reshape(*self.shape[:2], -1)[:, sample], self.columns)


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

    ``bytes_TBK`` [steps, batch, bytes of a row]: column c is bit ``c % 8`` of byte ``c // 8``.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        per_row = BITS // _BYTE * words_in(math.prod(shape[2:]))
        self.bytes_TBK = np.zeros((*shape[:2], per_row), np.uint8)

    def add(self, step: NDArray, sample: NDArray | int, column: NDArray) -> None:
        """Spikes by where they are; no two of all that are added may be the same."""
        _, batch, per_row = self.bytes_TBK.shape
        row = step.astype(np.int64) * batch + sample
        bit = np.left_shift(1, column % _BYTE, dtype=np.uint8, casting="unsafe")
        np.add.at(self.bytes_TBK.reshape(-1), row * per_row + column // _BYTE, bit)

    def words(self) -> SpikeWords:
        words = self.bytes_TBK.reshape(-1).view("<i8").astype(np.int64, copy=False)
        return SpikeWords(self._shape, words)


def packed(spikes: NDArray) -> NDArray[np.uint8]:
    """Spikes [… , columns], not 0 where there is one, as the bytes of ``WordRoom``, without pads.

    The last axis gets as many bytes as are needed.
    """
    return np.packbits(spikes != 0, axis=-1, bitorder="little")
