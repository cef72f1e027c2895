"""Packs binary spikes into bitmasks. A spike takes one bit, 1/32 of the memory of a float.

A bitmask holds the spikes of 32 neighbouring neurons in one step of a sample; bitmasks are [batch,
vectors, steps]. ``kernels.packing`` describes the tensor that holds them.
"""

import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import (
    LANES,
    as_ints,
    bits_of,
    broadcast,
    count_bits,
    from_bitmask,
    to_bitmask,
    where,
)
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.packing import HEADER_NUMBERS, packed_size

_ZERO_BITS = np.int32(0)
_ONE_BITS = np.int32(0x3F800000)
"""Bits of the 32-bit float 1.0."""

LOW_32_BITS = np.int64((1 << LANES) - 1)
"""Mask that clears the sign extension of a bitmask that was widened to int64."""

Shape = tuple[int, int, int]
"""Steps, samples and neurons."""


def new_packed(shape: Shape) -> np.ndarray:
    """Allocates memory for packed spikes [steps, batch, neurons], not marked as events."""
    packed = allocate((packed_size(shape),), np.int32)
    packed[:HEADER_NUMBERS] = 0
    return packed


def bitmasks_of(packed: np.ndarray) -> np.ndarray:
    """Returns the bitmasks of packed spikes, without the header."""
    return packed[HEADER_NUMBERS:]


def pack(values_TBN: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Packs a float32 tensor. Returns the packed spikes, and their number in each row.

    A row is a step of a sample. The numbers are None if a value is neither 0 nor 1.
    """
    packed = new_packed(values_TBN.shape)
    rows = values_TBN.shape[0] * values_TBN.shape[1]
    counts, are_not_binary = np.empty(rows, np.int64), np.empty(rows, np.bool_)
    _pack(values_TBN, bitmasks_of(packed), counts, are_not_binary)
    return packed, None if are_not_binary.any() else counts


def packed_items(shape: Shape) -> int:
    """Returns the number of SIMD vectors that hold the neurons of all samples.

    Each sample starts a new vector.
    """
    _, batch, neurons = shape
    return batch * -(-neurons // LANES)


def unpack(bitmasks: np.ndarray, shape: Shape) -> np.ndarray:
    """Unpacks bitmasks to float32 [steps, batch, neurons]."""
    values_TBN = allocate(shape, np.float32)
    _unpack(bitmasks, values_TBN)
    return values_TBN


@kernel
def _pack(values_TBN, bitmasks, counts, are_not_binary, threads, thread):
    steps, batch, neurons = values_TBN.shape
    vectors, values = (neurons + LANES - 1) // LANES, values_TBN.reshape(-1)
    for row in share_of(steps * batch, threads, thread):  # rows follow one another in memory
        t, sample = row // batch, row % batch
        not_binary, total = broadcast(_ZERO_BITS), 0
        for vector in range(vectors):
            first = vector * LANES
            bits = bits_of(load(values, row * neurons + first, min(LANES, neurons - first)))
            spiked = bits != broadcast(_ZERO_BITS)
            not_binary = not_binary | as_ints(spiked & (bits != broadcast(_ONE_BITS)))
            bitmask = to_bitmask(spiked)
            bitmasks[np.uint64((sample * vectors + vector) * steps + t)] = bitmask
            total += count_bits(np.int64(bitmask) & LOW_32_BITS)
        counts[row] = total
        are_not_binary[row] = to_bitmask(not_binary != broadcast(_ZERO_BITS)) != 0


@kernel
def _unpack(bitmasks, values_TBN, threads, thread):
    steps, batch, neurons = values_TBN.shape
    vectors, values = (neurons + LANES - 1) // LANES, values_TBN.reshape(-1)
    one, zero = broadcast(np.float32(1)), broadcast(np.float32(0))
    for item in share_of(batch * vectors, threads, thread):
        sample, first = item // vectors, item % vectors * LANES
        for t in range(steps):
            spikes = where(from_bitmask(bitmasks[item * steps + t]), one, zero)
            at = (t * batch + sample) * neurons + first
            store(values, at, spikes, min(LANES, neurons - first))
