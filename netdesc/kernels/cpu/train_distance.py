"""The van Rossum distance of a vector of neurons to the spikes that are wanted of it, for Numba.

Both are words, a word holding a step of the vector (see ``trains``). It computes what
``van_rossum`` does with floats, in the same order, to the bit.

The way back needs the filtered difference of every step, the last ones first. Where a thread has no
room for all of them, the way there keeps the filter's states, but once in a piece of ``PIECE``
steps, and the way back filters one piece after the other again.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import register_jitable

from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import LANES, cast_like, load, spread, store, where
from netdesc.kernels.cpu.van_rossum import (
    LEAST,
    ahead_of,
    drop,
    filter_step,
    is_cut,
    recurrence,
    room_ahead,
)
from netdesc.kernels.cpu.words import lanes_of
from netdesc.kernels.packed_spikes import WORD_BITS

PIECE = 64
"""Steps, counted from the last one: their differences are 8 kB. Pieces have numbers backward."""


@register_jitable
def _sizes(steps, tail, length, keeps_all):
    """How many numbers of 32 bits hold states, differences, and what a cut filter needs besides.

    States are one of each order, or two if the filter is cut; who ``keeps_all`` differences needs
    nothing else.
    """
    if keeps_all:
        return 0, steps * LANES, 0
    of_piece = (2 if is_cut(tail) else 1) * len(tail) * LANES * (tail.itemsize // 4)
    states = (steps + PIECE - 1) // PIECE * of_piece
    return states, PIECE * LANES, room_ahead(tail, length, steps)


def room_for(steps: int, of_filter: tuple[float, int, int], keeps_all: bool) -> int:
    """Numbers of 32 bits that a thread needs on the way back."""
    _, tail = recurrence(*of_filter)
    return sum(_sizes(steps, tail, of_filter[2], keeps_all))


def whole_vectors(numbers: int) -> int:
    """So many or a few more, so that the next thread's states lie as 64-bit numbers should."""
    return -(-numbers // LANES) * LANES


@numba.njit(inline="always")
def rooms_of(room, steps, tail, length, keeps_all):
    """Parts of a ``room``: states [pieces, kinds, orders · LANES], differences, and what is ahead.

    What is left of the room is the last.
    """
    states, differences, ahead = _sizes(steps, tail, length, keeps_all)
    first, second = states + differences, states + differences + ahead
    kinds, each = 2 if is_cut(tail) else 1, len(tail) * LANES
    kept = room[:states].view(tail.dtype)
    shape = len(kept) // (kinds * each), kinds, each
    return kept.reshape(shape), room[states:first], room[first:second], room[second:]


@numba.njit(inline="always")
def _as_floats(word):
    return where(lanes_of(word), spread(np.float32(1)), spread(np.float32(0)))


@numba.njit(inline="always")
def _difference(words, wanted, of_wanted, t):
    return _as_floats(words[t]) - _as_floats(wanted[of_wanted + t])


@numba.njit(inline="always")
def _filtered(words, wanted, of_wanted, t, a, has_tail, tail, length, y, late):
    """The difference in step ``t``, and the same filtered."""
    x = _difference(words, wanted, of_wanted, t)
    cut = has_tail and t >= length
    late_x = _difference(words, wanted, of_wanted, t - length) if cut else x
    return x, filter_step(x, late_x, cut, a, tail, y, late)


@numba.njit(inline="always")
def _keep(state, kept):
    for i in range(len(state)):
        kept[i] = state[i]


@inner
def distance(
    words, wanted, of_wanted, a, tail, length, steps, y, late, keeps_all, states, filtered,
    squares, lo, n,
):  # fmt: skip
    """Filter the difference to what is wanted; ``squares`` gets the sums of its squares.

    For the way back ``filtered`` gets all differences, or else ``states`` those before each piece;
    or ``states`` are None.
    """
    has_tail = is_cut(tail)
    total, of_word = spread(np.float64(0)), spread(np.float32(0))
    y[:] = 0
    late[:] = 0
    for t in range(steps):
        if states is not None and not keeps_all and (t == 0 or (steps - t) % PIECE == 0):
            piece = (steps - t - 1) // PIECE
            _keep(y, states[piece, 0])
            if has_tail:
                _keep(late, states[piece, 1])
        x, f = _filtered(words, wanted, of_wanted, t, a, has_tail, tail, length, y, late)
        if states is not None and keeps_all:
            store(filtered, t * LANES, cast_like(f, x), LANES)
        of_word = of_word + cast_like(f * f, x)
        if t % WORD_BITS == WORD_BITS - 1 or t == steps - 1:
            total = total + cast_like(of_word, total)
            of_word = spread(np.float32(0))
    store(squares, lo, total, n)


@inner
def filter_again(words, wanted, of_wanted, first, last, steps, a, tail, length, states, filtered):
    """The filtered differences of a piece, which is from ``first`` to before ``last``.

    Its states are needed no more, and are those after it then.
    """
    has_tail, piece = is_cut(tail), (steps - last) // PIECE
    y, late = states[piece, 0], states[piece, 1 if has_tail else 0]
    for t in range(first, last):
        x, f = _filtered(words, wanted, of_wanted, t, a, has_tail, tail, length, y, late)
        store(filtered, (t - first) * LANES, cast_like(f, x), LANES)


@numba.njit(inline="always")
def ready(
    keeps_all, words, wanted, of_wanted, first, last, steps, a, tail, length, states, filtered
):
    """Sees to it that ``filtered`` has the differences of a piece; returns the step of its first.

    See ``filter_again``.
    """
    if keeps_all:
        return 0
    filter_again(words, wanted, of_wanted, first, last, steps, a, tail, length, states, filtered)
    return first


@numba.njit(inline="always")
def gradient_of_spikes(
    keeps_all, filtered, first, t, steps, a, has_tail, tail, length, scale, y, late, ahead
):
    """That of a step, from the differences; steps are asked for one by one, backward.

    ``first`` is the step of the first of these, ``has_tail`` whether the filter is cut before the
    end. Who does not have all of them keeps those of ``length`` steps ``ahead``.
    """
    f = load(filtered, (t - first) * LANES, LANES)
    cut = has_tail and t + length < steps
    after = f
    if keeps_all:
        if cut:
            after = load(filtered, (t + length) * LANES, LANES)
    elif has_tail:
        after = ahead_of(ahead, f, t, length, steps)
    g = filter_step(f, after, cut, a, tail, y, late)
    return drop(cast_like(g, f), spread(np.float32(LEAST))) * spread(np.float32(scale))


@numba.njit(parallel=True, cache=True, nogil=True)
def distances(words, wanted, steps, batch, neurons, a, tail, length, threads, squares):
    """The distance alone, of whole trains: fills ``squares`` [batch · neurons]."""
    vectors = (neurons + LANES - 1) // LANES
    for thread in numba.prange(threads):
        y, late = np.empty((2, len(tail) * LANES), tail.dtype)
        for item in range(thread, batch * vectors, threads):
            b, lo = item // vectors, item % vectors * LANES
            at, n = item * steps, min(LANES, neurons - lo)
            distance(
                words[at : at + steps], wanted, at, a, tail, length, steps, y, late, False,
                None, None, squares, b * neurons + lo, n,
            )  # fmt: skip
