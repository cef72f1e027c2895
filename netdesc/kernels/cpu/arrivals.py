"""What a layer's synapses read, event by event, and what arrives by them, for Numba."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numba.extending import overload

from netdesc.kernels.cpu.lanes import LANES, Ints, load, spread, store
from netdesc.kernels.cpu.steps import hold
from netdesc.kernels.cpu.words import lowest
from netdesc.kernels.event_lists import SHORT
from netdesc.kernels.grid import STATE_LIMIT, STATES_PER_WEIGHT

_LARGEST_SUM = STATE_LIMIT // STATES_PER_WEIGHT
"""A sum of integer weights of this size saturates a state."""

_MANY_EVENTS = _LARGEST_SUM >> 15
"""As many 16-bit weights cannot sum up to more than that."""

_UNIT = np.int32(STATES_PER_WEIGHT)

_BITS = 64


def column_type(columns: int) -> type[np.generic]:
    """The type of a source's number in a list."""
    return np.uint16 if columns <= SHORT else np.int32


class Events(NamedTuple):
    """Spikes of a layer's input: ``listed``, or a bit for each in ``words`` (see ``bit_rows``).

    Step t of sample b is row ``t · batch + b``. Listed it has the sources
    ``sources[starts[row]:starts[row + 1]]``, else ``per_row`` words; what does not apply is empty.
    Either way a row's events come in the order of their sources, so that sums are the same.
    """

    listed: bool
    steps: int
    batch: int
    per_row: int
    starts: np.ndarray
    sources: np.ndarray
    words: np.ndarray


def _held(total):
    """Integers that cannot overflow when they become states; floats as they are."""


@overload(_held, inline="always")
def _(total):
    if total == Ints:
        return lambda total: hold(total, _LARGEST_SUM)
    return lambda total: total


@numba.njit(inline="always")
def gather(events, t, b, weight_IN, n, none):
    """The sum of the weights that a row's events bring to a vector of ``n`` neurons.

    ``weight_IN`` is flat, [inputs, n] (see ``weights``); ``none`` is a vector of zeros. Sums of
    integers are held where their states would end.
    """
    z = none
    if events.listed:
        row = t * events.batch + b
        first, end = events.starts[row], events.starts[row + 1]
        for e in range(first, end):
            z = z + load(weight_IN, events.sources[e] * n, n)
        if end - first > _MANY_EVENTS:
            z = _held(z)
    else:
        at = (t * events.batch + b) * events.per_row
        for k in range(events.per_row):
            word, of_word = events.words[at + k], k * _BITS * n
            while word:
                z = z + load(weight_IN, of_word + lowest(word) * n, n)
                word &= word - 1
        z = _held(z)
    return z


@numba.njit(inline="always")
def arriving(events, t, b, integer_IN, n):
    """The same of integer weights, as a current in state units."""
    return gather(events, t, b, integer_IN, n, spread(np.int32(0))) * spread(_UNIT)


@numba.njit(inline="always")
def add_up(events, t, b, g_u, weight_sums):
    """Add a vector's gradient to the sums [inputs · LANES] of every source of a row's events."""
    if events.listed:
        row = t * events.batch + b
        for e in range(events.starts[row], events.starts[row + 1]):
            _add(weight_sums, events.sources[e] * LANES, g_u)
    else:
        at = (t * events.batch + b) * events.per_row
        for k in range(events.per_row):
            word = events.words[at + k]
            while word:
                _add(weight_sums, (k * _BITS + lowest(word)) * LANES, g_u)
                word &= word - 1


@numba.njit(inline="always")
def _add(sums, into, g_u):
    store(sums, into, load(sums, into, LANES) + g_u, LANES)
