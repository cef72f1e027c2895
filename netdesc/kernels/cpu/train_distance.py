"""The van Rossum distance of a vector of neurons to the spikes that are wanted of it, for Numba.

Both are words, a word holding a step of the vector (see ``trains``). It computes what
``van_rossum`` does with floats, in the same order, to the bit.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import LANES, cast_like, load, spread, store, where
from netdesc.kernels.cpu.van_rossum import LEAST, drop, filter_step, is_cut
from netdesc.kernels.cpu.words import lanes_of
from netdesc.kernels.packed_spikes import WORD_BITS


@numba.njit(inline="always")
def _as_floats(word):
    return where(lanes_of(word), spread(np.float32(1)), spread(np.float32(0)))


@numba.njit(inline="always")
def _difference(words, wanted, of_wanted, t):
    return _as_floats(words[t]) - _as_floats(wanted[of_wanted + t])


@inner
def distance(words, wanted, of_wanted, a, tail, length, steps, y, late, filtered, squares, lo, n):
    """Filter the difference to what is wanted; ``squares`` gets the sums of its squares."""
    has_tail = is_cut(tail)
    total, of_word = spread(np.float64(0)), spread(np.float32(0))
    y[:] = 0
    late[:] = 0
    for t in range(steps):
        x = _difference(words, wanted, of_wanted, t)
        cut = has_tail and t >= length
        late_x = _difference(words, wanted, of_wanted, t - length) if cut else x
        f = filter_step(x, late_x, cut, a, tail, y, late)
        of_word = of_word + cast_like(f * f, x)
        store(filtered, t * n, cast_like(f, x), LANES)
        if t % WORD_BITS == WORD_BITS - 1 or t == steps - 1:
            total = total + cast_like(of_word, total)
            of_word = spread(np.float32(0))
    store(squares, lo, total, n)


@numba.njit(inline="always")
def gradient_of_spikes(filtered, t, n, steps, a, has_tail, tail, length, scale, y, late):
    """That of a step, from the filtered difference; steps are asked for one by one, backward."""
    f = load(filtered, t * n, LANES)
    cut = has_tail and t + length < steps
    late_f = load(filtered, (t + length) * n, LANES) if cut else f
    g = filter_step(f, late_f, cut, a, tail, y, late)
    return drop(cast_like(g, f), spread(np.float32(LEAST))) * spread(np.float32(scale))


@numba.njit(parallel=True, cache=True, nogil=True)
def distances(words, wanted, steps, batch, neurons, a, tail, length, room_KN, squares):
    """The distance alone, of whole trains: fills ``squares`` [batch · neurons].

    A thread holds one vector's filtered differences in its part of ``room_KN``
    [threads, steps · ``LANES``].
    """
    vectors, threads = (neurons + LANES - 1) // LANES, len(room_KN)
    for thread in numba.prange(threads):
        y, late = np.empty((2, len(tail) * LANES), tail.dtype)
        for item in range(thread, batch * vectors, threads):
            b, lo = item // vectors, item % vectors * LANES
            at, n = item * steps, min(LANES, neurons - lo)
            distance(
                words[at : at + steps], wanted, at, a, tail, length, steps, y, late,
                room_KN[thread], squares, b * neurons + lo, n,
            )  # fmt: skip
