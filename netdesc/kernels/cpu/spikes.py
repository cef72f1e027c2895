"""Packed spikes, and lists of the events in them.

Packed spikes are bitmasks: a spike takes one bit, 1/32 of the memory of a float. A bitmask holds
the spikes of 32 neighbouring neurons in one step of a sample; bitmasks are [batch, vectors, steps].
``kernels.packing`` describes the tensor that holds them.
"""

from typing import NamedTuple

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
    lowest_bit,
    to_bitmask,
    where,
)
from netdesc.kernels.cpu.runtime.simd_memory import element, load, store
from netdesc.kernels.packing import HEADER_NUMBERS, packed_size

_ZERO_BITS = np.int32(0)
_ONE_BITS = np.int32(0x3F800000)
"""Bits of the 32-bit float 1.0."""

_LOW_32_BITS = np.int64((1 << LANES) - 1)
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


def pack(values_TBN: np.ndarray, max_density: float) -> "tuple[np.ndarray, Events | None]":
    """Packs a float32 tensor. Returns the packed spikes, and their events.

    The events are None, and the packed spikes are not marked as events, if a value is neither 0 nor
    1, or if more than the share ``max_density`` of the values are spikes.
    """
    packed, shape = new_packed(values_TBN.shape), values_TBN.shape
    counts = np.empty(shape[0] * shape[1], np.int64)
    _pack(values_TBN, bitmasks_of(packed), counts)
    if np.minimum.reduce(counts) >= 0:
        mark_if_sparse(packed, int(np.add.reduce(counts)), shape, max_density)
    return packed, events_of(packed, shape, counts)


def unpack(bitmasks: np.ndarray, shape: Shape) -> np.ndarray:
    """Unpacks bitmasks to float32 [steps, batch, neurons]."""
    values_TBN = allocate(shape, np.float32)
    _unpack(bitmasks, values_TBN)
    return values_TBN


@kernel
def _pack(values_TBN, bitmasks, counts, threads, thread):
    """Writes the number of spikes of each row to ``counts``, −1 if a value is neither 0 nor 1. A
    row is a step of a sample."""
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
            total += count_bits(np.int64(bitmask) & _LOW_32_BITS)
        counts[row] = total if to_bitmask(not_binary != broadcast(_ZERO_BITS)) == 0 else -1


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


MAX_EVENT_DENSITY = 0.4
"""Largest share of spiking inputs at which events are faster than the matrix product.

Measured on a Xeon with AVX-512, which favours the product: for layers of 200 to 2,048 inputs and 64
to 512 neurons, events and product took the same time at shares from 0.33 to 0.65.
"""


class Events(NamedTuple):
    """Spike events, listed row by row. Row ``t · batch + b`` is step t of sample b.

    In a row, the inputs ``sources[starts[row]:starts[row + 1]]`` spike, in ascending order.
    """

    steps: int
    batch: int
    starts: np.ndarray
    """The index in ``sources`` of each row's first event, int64 [steps · batch + 1]."""
    sources: np.ndarray
    """The indices of the spiking inputs, int32."""


def mark_if_sparse(
    packed: np.ndarray, spikes: int, shape: Shape, max_density: float = MAX_EVENT_DENSITY
) -> None:
    """Marks packed spikes as events unless their share is larger than ``max_density``.

    ``spikes``, their number, is written to the header.
    """
    steps, batch, inputs = shape
    if spikes <= max_density * steps * batch * inputs:
        packed[0] = 1
        packed[2:4].view(np.int64)[0] = spikes


def events_of(packed: np.ndarray, shape: Shape, counts: np.ndarray | None = None) -> Events | None:
    """Lists the events of packed spikes. Returns None if the spikes are not marked as events.

    ``counts`` are the numbers of spikes in each row; without them, spikes are counted.
    """
    if not (len(packed) and packed[0]):
        return None
    steps, batch, inputs = shape
    bitmasks = bitmasks_of(packed)
    starts = allocate((steps * batch + 1,), np.int64)
    spikes = int(packed[2:4].view(np.int64)[0])
    # Rounded up by less than 1/8 (or 1024), so that similar batches can reuse the pool's memory.
    unit = 1 << max(10, spikes.bit_length() - 4)
    sources = allocate((-(-spikes // unit) * unit,), np.int32)
    starts[0] = 0
    if counts is None:
        counts = starts[1:]
        _count_by_row(bitmasks, steps, batch, inputs, starts)
    np.add.accumulate(counts, out=starts[1:])
    _list_sources(bitmasks, steps, batch, inputs, starts, sources)
    return Events(steps, batch, starts, sources)


@kernel
def _count_by_row(bitmasks, steps, batch, inputs, starts, threads, thread):
    """Writes the number of spikes of each row to ``starts[row + 1]``."""
    vectors = (inputs + LANES - 1) // LANES
    for row in share_of(steps * batch, threads, thread):
        t, b = row // batch, row % batch
        count = 0
        for vector in range(vectors):
            bitmask = element(bitmasks, (b * vectors + vector) * steps + t)
            count += count_bits(np.int64(bitmask) & _LOW_32_BITS)
        starts[row + 1] = count


@kernel
def _list_sources(bitmasks, steps, batch, inputs, starts, sources, threads, thread):
    vectors = (inputs + LANES - 1) // LANES
    for row in share_of(steps * batch, threads, thread):
        t, b = row // batch, row % batch
        at = starts[row]
        first = b * vectors * steps + t
        for vector in range(0, vectors, 2):  # two bitmasks at a time halve the loops
            bits = np.int64(element(bitmasks, first + vector * steps)) & _LOW_32_BITS
            if vector + 1 < vectors:
                bits |= np.int64(element(bitmasks, first + (vector + 1) * steps)) << LANES
            while bits:
                sources[np.uint64(at)] = vector * LANES + lowest_bit(bits)
                at += 1
                bits &= bits - 1
