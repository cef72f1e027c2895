"""Binary spikes packed into words, one bit each, in a thirty-second of the memory of floats.

A word holds 32 neighbouring neurons in one step of a sample; words are [batch, vectors, steps].
``kernels.segments`` says how long the tensor is.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.bitmask import count_bits, lanes_of, word_of
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES, as_ints, bits_of, spread, where
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.segments import HEADER_NUMBERS, packed_size

_NO_BITS = np.int32(0)
_BITS_OF_ONE = np.int32(0x3F800000)
"""Bits of 1.0 as a 32-bit float."""

WORD = np.int64((1 << LANES) - 1)
"""Mask of the bits of a word in an int64."""

Shape = tuple[int, int, int]
"""Steps, samples and neurons."""


def new_packed(shape: Shape) -> np.ndarray:
    """Memory for the spikes of a tensor [steps, batch, neurons], not marked as events."""
    packed = allocate((packed_size(shape),), np.int32)
    packed[:HEADER_NUMBERS] = 0
    return packed


def words_of(packed: np.ndarray) -> np.ndarray:
    """The words of packed spikes, without the header."""
    return packed[HEADER_NUMBERS:]


def pack(values_TBN: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Packs a float32 tensor. Returns the packed spikes and their number.

    The number is None if a value is neither 0 nor 1.
    """
    packed = new_packed(values_TBN.shape)
    rows = values_TBN.shape[0] * values_TBN.shape[1]
    found, odd = np.empty(rows, np.int64), np.empty(rows, np.bool_)
    _pack(values_TBN, words_of(packed), found, odd)
    return packed, None if odd.any() else int(found.sum())


def packed_items(shape: Shape) -> int:
    """Number of vectors of neurons in all samples."""
    _, batch, neurons = shape
    return batch * -(-neurons // LANES)


def unpack(words: np.ndarray, shape: Shape) -> np.ndarray:
    """The spikes of words as float32 [steps, batch, neurons]."""
    values_TBN = allocate(shape, np.float32)
    _unpack(words, values_TBN)
    return values_TBN


@kernel
def _pack(values_TBN, words, found, odd):
    steps, batch, neurons = values_TBN.shape
    vectors, values = (neurons + LANES - 1) // LANES, values_TBN.reshape(-1)
    for row in numba.prange(steps * batch):  # in the order of memory
        t, sample = row // batch, row % batch
        strange, total = spread(_NO_BITS), 0
        for vector in range(vectors):
            first = vector * LANES
            bits = bits_of(load(values, row * neurons + first, min(LANES, neurons - first)))
            spiked = bits != spread(_NO_BITS)
            strange = strange | as_ints(spiked & (bits != spread(_BITS_OF_ONE)))
            word = word_of(spiked)
            words[np.uint64((sample * vectors + vector) * steps + t)] = word
            total += count_bits(np.int64(word) & WORD)
        found[row] = total
        odd[row] = word_of(strange != spread(_NO_BITS)) != 0


@kernel
def _unpack(words, values_TBN):
    steps, batch, neurons = values_TBN.shape
    vectors, values = (neurons + LANES - 1) // LANES, values_TBN.reshape(-1)
    one, none = spread(np.float32(1)), spread(np.float32(0))
    for item in numba.prange(batch * vectors):
        sample, first = item // vectors, item % vectors * LANES
        for t in range(steps):
            spikes = where(lanes_of(words[item * steps + t]), one, none)
            at = (t * batch + sample) * neurons + first
            store(values, at, spikes, min(LANES, neurons - first))
