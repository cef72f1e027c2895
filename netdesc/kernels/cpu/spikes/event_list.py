"""Lists of spike events: the inputs that spike in each step and sample."""

from typing import NamedTuple

import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES, count_bits, lowest_bit
from netdesc.kernels.cpu.runtime.simd_memory import element
from netdesc.kernels.cpu.spikes.packed_spikes import LOW_32_BITS, Shape, bitmasks_of

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


def are_sparse(spikes: int, shape: Shape) -> bool:
    """Whether events are faster than a matrix product for ``spikes`` spikes in ``shape``."""
    steps, batch, inputs = shape
    return spikes <= MAX_EVENT_DENSITY * steps * batch * inputs


def mark_as_events(packed: np.ndarray, spikes: int) -> None:
    """Marks packed spikes as events, and writes the number of spikes to their header."""
    packed[0] = 1
    packed[2:4].view(np.int64)[0] = spikes


def events_of(packed: np.ndarray, shape: Shape, counts: np.ndarray | None = None) -> Events | None:
    """Lists the events of packed spikes. Returns None if the spikes are not marked as events.

    ``counts`` are the numbers of spikes in each row, if they are known.
    """
    if not (len(packed) and packed[0]):
        return None
    steps, batch, inputs = shape
    bitmasks = bitmasks_of(packed)
    starts = allocate((steps * batch + 1,), np.int64)
    sources = allocate((_round_up(int(packed[2:4].view(np.int64)[0])),), np.int32)
    starts[0] = 0
    if counts is None:
        counts = starts[1:]
        _count_by_row(bitmasks, steps, batch, inputs, starts)
    np.add.accumulate(counts, out=starts[1:])
    _list_sources(bitmasks, steps, batch, inputs, starts, sources)
    return Events(steps, batch, starts, sources)


def _round_up(number: int) -> int:
    """Rounds up by less than 1/8 (or 1024), so that similar batches can reuse the pool's memory."""
    unit = 1 << max(10, number.bit_length() - 4)
    return -(-number // unit) * unit


@kernel
def _count_by_row(bitmasks, steps, batch, inputs, starts, threads, thread):
    """Writes the number of spikes of each row to ``starts[row + 1]``."""
    vectors = (inputs + LANES - 1) // LANES
    for row in share_of(steps * batch, threads, thread):
        t, b = row // batch, row % batch
        count = 0
        for vector in range(vectors):
            bitmask = element(bitmasks, (b * vectors + vector) * steps + t)
            count += count_bits(np.int64(bitmask) & LOW_32_BITS)
        starts[row + 1] = count


@kernel
def _list_sources(bitmasks, steps, batch, inputs, starts, sources, threads, thread):
    vectors = (inputs + LANES - 1) // LANES
    for row in share_of(steps * batch, threads, thread):
        t, b = row // batch, row % batch
        at = starts[row]
        first = b * vectors * steps + t
        for vector in range(0, vectors, 2):  # two bitmasks at a time halve the loops
            bits = np.int64(element(bitmasks, first + vector * steps)) & LOW_32_BITS
            if vector + 1 < vectors:
                bits |= np.int64(element(bitmasks, first + (vector + 1) * steps)) << LANES
            while bits:
                sources[np.uint64(at)] = vector * LANES + lowest_bit(bits)
                at += 1
                bits &= bits - 1
