"""What a layer's synapses read, event by event, and what arrives by them, for Numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.lanes import LANES, as_ints, element, intrinsic, load, spread, store
from netdesc.kernels.cpu.steps import hold
from netdesc.kernels.cpu.words import lowest
from netdesc.kernels.event_lists import SHORT
from netdesc.kernels.grid import STATE_LIMIT, STATES_PER_WEIGHT

_LARGEST_SUM = STATE_LIMIT // STATES_PER_WEIGHT
"""A sum of integer weights of this size saturates a state."""

_MANY_EVENTS = _LARGEST_SUM >> 15
"""As many 16-bit weights cannot sum up to more than that."""

_UNIT = np.int32(STATES_PER_WEIGHT)

BITS = 64


def column_type(columns: int) -> type[np.generic]:
    """The type of a source's number in a list."""
    return np.uint16 if columns <= SHORT else np.int32


class Events(NamedTuple):
    """Spikes of a layer's input: ``listed``, or a bit for each in ``words`` (see ``bit_rows``).

    Step t of sample b is row ``t · batch + b``. Listed it has the sources
    ``sources[starts[row]:starts[row + 1]]``, else ``per_row`` words; what does not apply is empty.
    Where spikes are counted, words are those of binary digits, [digits, words]: walks are compiled
    for that by itself, and are faster where there is but one. Either way a row's events come digit
    by digit, in the order of their sources, so that sums are the same: those of the second digit
    come twice.
    """

    listed: bool
    steps: int
    batch: int
    per_row: int
    starts: np.ndarray
    sources: np.ndarray
    words: np.ndarray


# Not ``overload``: inlined where walks are inlined in turn, it made them write where they must not
# (Numba 0.68).
@intrinsic
def digits_of(context: Any, words: Any) -> Any:
    """How many there are of an input's words."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        if words.ndim == 1:
            return ir.Constant(ir.IntType(64), 1)
        return builder.extract_value(context.make_array(words)(context, builder, given[0]).shape, 0)

    return types.int64(words), build


@intrinsic
def words_of(context: Any, words: Any) -> Any:
    """How many one of the digits has."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        shape = context.make_array(words)(context, builder, given[0]).shape
        return builder.extract_value(shape, words.ndim - 1)

    return types.int64(words), build


@numba.njit(inline="always")
def gather(events, t, b, real_IN, n):
    """The sum of the real weights that a row's events bring to a vector of ``n`` neurons.

    ``real_IN`` is flat, [inputs, n] (see ``weights``).
    """
    z = spread(np.float32(0))
    if events.listed:
        row = t * events.batch + b
        for e in range(events.starts[row], events.starts[row + 1]):
            z = z + load(real_IN, np.int64(element(events.sources, e)) * n, n)
    else:
        for digit in range(digits_of(events.words)):
            at = digit * words_of(events.words) + (t * events.batch + b) * events.per_row
            for k in range(events.per_row):
                word, of_word = element(events.words, at + k), k * BITS * n
                while word:
                    for _ in range(1 << digit):
                        z = z + load(real_IN, of_word + lowest(word) * n, n)
                    word &= word - 1
    return z


@numba.njit(inline="always")
def arriving(events, t, b, integer_IN, n, together):
    """The same of integer weights, as a current in state units, held where states would end.

    So many weights as ``together`` (see ``weights``) are added up in 16 bits: that takes a third of
    the time.
    """
    z, few = spread(np.int32(0)), spread(np.int16(0))
    if events.listed:
        row = t * events.batch + b
        first, end = events.starts[row], events.starts[row + 1]
        e = first
        while e < end:
            until, few = min(end, e + together), spread(np.int16(0))
            while e < until:
                few = few + load(integer_IN, np.int64(element(events.sources, e)) * n, n)
                e += 1
            z = z + as_ints(few)
        if end - first > _MANY_EVENTS:
            z = hold(z, _LARGEST_SUM)
    else:
        left = together
        for digit in range(digits_of(events.words)):
            at = digit * words_of(events.words) + (t * events.batch + b) * events.per_row
            for k in range(events.per_row):
                word, of_word = element(events.words, at + k), k * BITS * n
                while word:
                    for _ in range(1 << digit):
                        few = few + load(integer_IN, of_word + lowest(word) * n, n)
                        left -= 1
                        if left == 0:
                            z, few, left = z + as_ints(few), spread(np.int16(0)), together
                    word &= word - 1
        z = hold(z + as_ints(few), _LARGEST_SUM)
    return z * spread(_UNIT)


@numba.njit(inline="always")
def add_up(events, t, b, g_u, weight_sums):
    """Add a vector's gradient to the sums [inputs · LANES] of every source of a row's events."""
    if events.listed:
        row = t * events.batch + b
        for e in range(events.starts[row], events.starts[row + 1]):
            _add(weight_sums, np.int64(element(events.sources, e)) * LANES, g_u)
    else:
        for digit in range(digits_of(events.words)):
            at = digit * words_of(events.words) + (t * events.batch + b) * events.per_row
            for k in range(events.per_row):
                word = element(events.words, at + k)
                while word:
                    for _ in range(1 << digit):
                        _add(weight_sums, (k * BITS + lowest(word)) * LANES, g_u)
                    word &= word - 1


@numba.njit(inline="always")
def _add(sums, into, g_u):
    store(sums, into, load(sums, into, LANES) + g_u, LANES)
