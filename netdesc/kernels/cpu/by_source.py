"""Events by their source: in which steps each input spiked, for the gradient of its weights.

By rows (see ``arrivals``) each event loads a vector's sums of its source, adds to them and stores
them. By source they stay in registers for a run of steps, whose gradients are in the cache, and
each event is but an addition: that pays where sources spike often in a run. Gradients are added up
in the order that rows give, so the sums are the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.arrivals import BITS, Events, add_up, digits_of, words_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.lanes import LANES, element, load, store
from netdesc.kernels.cpu.threads import crew_of
from netdesc.kernels.cpu.words import lowest

LENGTH = 256
"""Steps of a run: a vector's gradients in so many are 32 kB."""

_LEAST = 12
"""Events of a source in a run: with fewer it takes more time to look for them.

Measured on a Xeon with AVX-512: where each thread has a core of its own, both ways took the same
time from 8 to 13 of 512 inputs. Where two share a core, and the sums by rows do not fit into its
cache, 4 are enough.
"""

_VECTORS = 6
"""To put events in order takes as long as to add them up for two vectors."""

_LARGEST, _LONGEST = np.iinfo(np.int32).max, np.iinfo(np.uint16).max
"""Events, and steps of a run, that can be counted."""


class BySource(NamedTuple):
    """Runs of ``length`` steps, the last ones first; without any length there are none.

    In run k of sample b, source j spikes in ``steps[starts[i]:starts[i + 1]]``, counted from the
    run's first step, the last ones first; i is ``(b · runs + k) · inputs + j``.
    """

    length: int
    runs: int
    starts: np.ndarray
    steps: np.ndarray


BY_ROWS = BySource(0, 0, np.empty(0, np.int32), np.empty(0, np.uint16))
"""For walks that take events row by row."""


def by_source(events: Events, inputs: int, neurons: int, length: int = LENGTH) -> BySource:
    """In runs of so many steps, or ``BY_ROWS`` where that pays less for so many ``neurons``.

    With the gradients of runs it takes a byte for each step, sample and neuron, or hardly more.
    """
    if math.isinf(most_by_rows(events.steps, events.batch, inputs, neurons, length)):
        return BY_ROWS
    runs = -(-events.steps // length)
    slots = events.batch * runs * inputs
    of_runs = 4 * crew_of(neurons) * length * LANES
    room = (events.steps * events.batch * neurons - 4 * slots - of_runs) // 2
    if not _pays(int(events.starts[-1]) if events.listed else _LEAST * slots, slots, room):
        return BY_ROWS
    starts = take((slots + 1,), np.int32)
    _count(events, inputs, length, runs, starts)
    found = int(starts[:-1].sum(dtype=np.int64))
    if not _pays(found, slots, room):
        return BY_ROWS
    np.cumsum(starts[:-1], out=starts[:-1])
    starts[-1] = found
    steps = take((-(-found // 1024) * 1024,), np.int16).view(np.uint16)
    _place(events, inputs, length, runs, starts, steps)
    return BySource(length, runs, starts, steps)


def most_by_rows(steps: int, batch: int, inputs: int, neurons: int, length: int = LENGTH) -> float:
    """Up to how many events ``by_source`` leaves by rows, wherever they are; infinite if always."""
    if neurons <= (_VECTORS - 1) * LANES or not 0 < length <= _LONGEST:
        return math.inf
    return _LEAST * batch * -(-steps // length) * inputs - 1


def _pays(found: int, slots: int, room: int) -> bool:
    return _LEAST * slots <= found <= min(room, _LARGEST)


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(events, inputs, length, runs, starts):
    """Fill ``starts`` with how many events each source has in each run."""
    for item in numba.prange(events.batch * runs):
        b, last = item // runs, events.steps - item % runs * length
        counts = starts[item * inputs : (item + 1) * inputs]
        counts[:] = 0
        for t in range(max(0, last - length), last):
            row = t * events.batch + b
            if events.listed:
                for e in range(events.starts[row], events.starts[row + 1]):
                    counts[np.uint64(element(events.sources, e))] += 1
            else:
                for digit in range(digits_of(events.words)):
                    at = digit * words_of(events.words) + row * events.per_row
                    for k in range(events.per_row):
                        word = element(events.words, at + k)
                        while word:
                            counts[np.uint64(k * BITS + lowest(word))] += 1 << digit
                            word &= word - 1


@numba.njit(inline="always")
def _put(places, j, step, steps):
    places[j] -= 1
    steps[np.uint64(places[j])] = step


@numba.njit(parallel=True, cache=True, nogil=True)
def _place(events, inputs, length, runs, starts, steps):
    """Fill ``steps`` from the ends of each source's events on, which become their ``starts``."""
    for item in numba.prange(events.batch * runs):
        b, last = item // runs, events.steps - item % runs * length
        first = max(0, last - length)
        places = starts[item * inputs : (item + 1) * inputs]
        for t in range(first, last):
            row, step = t * events.batch + b, np.uint16(t - first)
            if events.listed:
                for e in range(events.starts[row], events.starts[row + 1]):
                    _put(places, np.uint64(element(events.sources, e)), step, steps)
            else:
                for digit in range(digits_of(events.words)):
                    at = digit * words_of(events.words) + row * events.per_row
                    for k in range(events.per_row):
                        word = element(events.words, at + k)
                        while word:
                            for _ in range(1 << digit):
                                _put(places, np.uint64(k * BITS + lowest(word)), step, steps)
                            word &= word - 1


@numba.njit(inline="always")
def add_up_step(by_source, events, t, first, b, g, g_run, weight_sums):
    """Add a step's gradient to the sums, or keep it for its run, whose first step is ``first``."""
    if by_source.length:
        store(g_run, (t - first) * LANES, g, LANES)
    else:
        add_up(events, t, b, g, weight_sums)


@numba.njit(inline="always")
def add_up_run(by_source, b, k, g_run, weight_sums):
    """Add the gradients ``g_run`` [length · LANES] of a run to the sums [inputs · LANES]."""
    inputs = len(weight_sums) // LANES
    slot = (b * by_source.runs + k) * inputs
    e = np.int64(element(by_source.starts, slot))
    for j in range(inputs):
        end = np.int64(element(by_source.starts, slot + j + 1))
        if e < end:
            total = load(weight_sums, j * LANES, LANES)
            while e < end:
                step = np.int64(element(by_source.steps, e))
                total = total + load(g_run, step * LANES, LANES)
                e += 1
            store(weight_sums, j * LANES, total, LANES)
