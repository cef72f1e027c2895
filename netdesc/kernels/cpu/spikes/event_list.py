"""Spike events: for every step and sample, the inputs of a layer that spike."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.bitmask import count_bits, lowest_bit
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_memory import element
from netdesc.kernels.cpu.spikes.packed_spikes import WORD, Shape, words_of

MAX_EVENT_DENSITY = 0.4
"""Largest share of inputs that spike in a step for which events are faster than the product.

Measured on a Xeon with AVX-512, where the product is fastest: both took the same time at 0.33 to
0.65, for layers of 200 to 2,048 inputs and 64 to 512 neurons.
"""


class Events(NamedTuple):
    """Step t of sample b is row ``t · batch + b``.

    Its inputs are ``sources[starts[row]:starts[row + 1]]``, in ascending order.
    """

    steps: int
    batch: int
    starts: np.ndarray
    """int64 [steps · batch + 1]."""
    sources: np.ndarray
    """int32."""


def are_sparse(spikes: int, shape: Shape) -> bool:
    """Whether events are faster than the product for a tensor [steps, batch, inputs] of spikes."""
    steps, batch, inputs = shape
    return spikes <= MAX_EVENT_DENSITY * steps * batch * inputs


def mark_as_events(packed: np.ndarray, spikes: int) -> None:
    """Marks packed spikes as taken as events, and notes how many there are."""
    packed[0] = 1
    packed[2:4].view(np.int64)[0] = spikes


def events_of(packed: np.ndarray, shape: Shape) -> Events | None:
    """The events of packed spikes; None where these are not marked as events."""
    if not (len(packed) and packed[0]):
        return None
    steps, batch, inputs = shape
    starts = allocate((steps * batch + 1,), np.int64)
    sources = allocate((_rounded_up(int(packed[2:4].view(np.int64)[0])),), np.int32)
    _list_events(words_of(packed), steps, batch, inputs, starts, sources)
    return Events(steps, batch, starts, sources)


def _rounded_up(number: int) -> int:
    """``number`` or up to a sixteenth more, so that the next batch can reuse the pool's memory."""
    part = 1 << max(10, number.bit_length() - 4)
    return -(-number // part) * part


@kernel
def _list_events(words, steps, batch, inputs, starts, sources):
    vectors, rows = (inputs + LANES - 1) // LANES, steps * batch
    for row in numba.prange(rows):
        t, b = row // batch, row % batch
        found = 0
        for vector in range(vectors):
            word = element(words, (b * vectors + vector) * steps + t)
            found += count_bits(np.int64(word) & WORD)
        starts[row + 1] = found
    starts[0] = 0
    for row in range(rows):
        starts[row + 1] += starts[row]
    for row in numba.prange(rows):
        t, b = row // batch, row % batch
        at = starts[row]
        first = b * vectors * steps + t
        for vector in range(0, vectors, 2):  # two words at a time: half as many inner loops end
            word = np.int64(element(words, first + vector * steps)) & WORD
            if vector + 1 < vectors:
                word |= np.int64(element(words, first + (vector + 1) * steps)) << LANES
            while word:
                sources[np.uint64(at)] = vector * LANES + lowest_bit(word)
                at += 1
                word &= word - 1
