"""The truncated exponential filter of the van Rossum distance and its adjoint, as recurrences.

``filters`` says how many there are and what is subtracted from them; ``tail`` and ``a`` carry the
width in which they compute. Arrays are flat: time-first [steps, columns], a column being a neuron
of a sample.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.extending import register_jitable

from netdesc.kernels.cpu.lanes import (
    LANES,
    as_floats,
    as_ints,
    bits_of,
    cast_like,
    load,
    spread,
    store,
    where,
)
from netdesc.kernels.cpu.steps import flush, magnitude
from netdesc.kernels.filters import LEAST, convolved, recurrence
from netdesc.kernels.packed_spikes import WORD_BITS

__all__ = [
    "LEAST",
    "ahead_of",
    "convolve",
    "convolved",
    "drop",
    "filter_adjoint",
    "filter_difference",
    "filter_in_place",
    "filter_step",
    "is_cut",
    "recurrence",
    "room_ahead",
]

_NONE, _ONE_BIT = np.int32(0), np.int32(1)
_SPIKE = np.int32(0x3F800000)
"""The bits of 1.0 as a 32-bit float."""


@register_jitable
def is_cut(tail):
    """Whether anything is subtracted. (Numba's ``max`` may make arrays; see ``inner``.)"""
    found = False
    for k in range(len(tail)):
        found = found or tail[k] > 0
    return found


@numba.njit(inline="always")
def _chain(x, a, y, orders):
    """One step of the chained recurrences: ``y[0] = a·y[0] + x``, ``y[k] = a·y[k] + y[k − 1]``."""
    share = spread(a)
    x = cast_like(x, share)
    for k in range(orders):
        x = flush(share * load(y, k * LANES, LANES) + x)
        store(y, k * LANES, x, LANES)
    return x


@numba.njit(inline="always")
def filter_step(x, late_x, cut, a, tail, y, late):
    """One step of the filter, from the recurrences and, where it was cut, the delayed ones."""
    f = _chain(x, a, y, len(tail))
    if cut:
        _chain(late_x, a, late, len(tail))
        for k in range(len(tail)):
            f = f - spread(tail[k]) * load(late, k * LANES, LANES)
    return f


@numba.njit(inline="always")
def drop(g, least):
    """Gradients of spikes, with 0 for what is below ``least``."""
    return where(magnitude(g) < least, spread(np.float32(0)), g)


@numba.njit(inline="always")
def _spikes_of(words, step, columns, lo, n):
    """The packed spikes of a step as floats."""
    word = load(words, step // WORD_BITS * columns + lo, n)
    return as_floats((word >> spread(np.int32(step % WORD_BITS))) & spread(_ONE_BIT))


@numba.njit(parallel=True, cache=True, nogil=True)
def filter_difference(output, target, a, tail, length, steps, words, odd, squares):
    """Filter ``output − target``; ``squares`` [columns] sums f², in 64 bits over every 32 steps.

    ``words`` gets the output's spikes, a bit each (see ``kernels.packed_spikes``), and ``odd``
    [columns] is not 0 where a value is neither 0 nor 1, so that a bit does not hold it.
    """
    columns = len(output) // steps
    has_tail = is_cut(tail)
    for item in numba.prange((columns + LANES - 1) // LANES):
        lo = item * LANES
        n = min(LANES, columns - lo)
        y, late = np.zeros((2, len(tail) * LANES), tail.dtype)
        total, of_word = spread(np.float64(0)), spread(np.float32(0))
        word, strange = spread(_NONE), spread(_NONE)
        for t in range(steps):
            at = t * columns + lo
            given = load(output, at, n)
            before = at - length * columns
            cut = has_tail and before >= 0
            late_x = given
            if cut:
                late_x = load(output, before, n) - load(target, before, n)
            f = filter_step(given - load(target, at, n), late_x, cut, a, tail, y, late)
            of_word = of_word + cast_like(f * f, given)
            bits = bits_of(given)
            spiked = bits != spread(_NONE)
            strange = strange | as_ints(spiked & (bits != spread(_SPIKE)))
            place = t % WORD_BITS
            word = word | (as_ints(spiked) << spread(np.int32(place)))
            if place == WORD_BITS - 1 or t == steps - 1:
                store(words, t // WORD_BITS * columns + lo, word, n)
                total = total + cast_like(of_word, total)
                word, of_word = spread(_NONE), spread(np.float32(0))
        store(squares, lo, total, n)
        store(odd, lo, strange, n)


@register_jitable
def room_ahead(tail, length, steps):
    """How many numbers of 32 bits a thread holds whose filter is run backward in time."""
    has_tail = is_cut(tail) and length < steps
    return min(length, steps - length) * LANES if has_tail else 0


@numba.njit(inline="always")
def ahead_of(ahead, f, t, length, steps):
    """What ``f`` was ``length`` steps ahead, if there; ``ahead`` is given that of step ``t``.

    Steps are asked for one by one, backward.
    """
    place = t % length * LANES
    after = load(ahead, place, LANES) if t + length < steps else f
    if t >= length:
        store(ahead, place, f, LANES)
    return after


@numba.njit(inline="always")
def _back_in_place(
    values, lo, n, columns, steps, a, has_tail, tail, length, scale, least, y, late, ahead
):
    """The filter, run backward through a vector's filtered differences, times ``scale``."""
    y[:] = 0
    late[:] = 0
    for t in range(steps - 1, -1, -1):
        at = t * columns + lo
        f = load(values, at, n)
        cut = has_tail and t + length < steps
        after = ahead_of(ahead, f, t, length, steps) if has_tail else f
        g = filter_step(f, after, cut, a, tail, y, late)
        store(values, at, drop(cast_like(g, f), least) * spread(np.float32(scale)), n)


@numba.njit(parallel=True, cache=True, nogil=True)
def filter_adjoint(
    output, words, from_words, target, a, tail, length, scale, steps, ahead_KTL, grad
):
    """The output's gradient: f again, and the filter run backward in time, times ``scale``.

    That of a neuron counts as 0 below ``LEAST``, where it differs from its target by whole spikes.
    A thread takes one vector after the other. The gradient takes the place of f; where the filter
    is cut, f of the next ``length`` steps is still needed, and in ``ahead_KTL`` [threads,
    ``room_ahead``]. The output is read from ``words`` where told, and may then be empty.
    """
    columns = len(target) // steps
    has_tail = is_cut(tail) and length < steps
    threads = len(ahead_KTL)
    for thread in numba.prange(threads):
        ahead = ahead_KTL[thread]
        y, late = np.zeros((2, len(tail) * LANES), tail.dtype)
        for item in range(thread, (columns + LANES - 1) // LANES, threads):
            lo = item * LANES
            n = min(LANES, columns - lo)
            y[:] = 0
            late[:] = 0
            none, graded = spread(np.float32(0)), spread(_NONE)
            for t in range(steps):
                at = t * columns + lo
                given = _spikes_of(words, t, columns, lo, n) if from_words else load(output, at, n)
                x = given - load(target, at, n)
                size = magnitude(x)
                graded = graded | as_ints((size != none) & (size != spread(np.float32(1))))
                cut = has_tail and t >= length
                late_x = x
                if cut:
                    before = at - length * columns
                    if from_words:
                        given = _spikes_of(words, t - length, columns, lo, n)
                    else:
                        given = load(output, before, n)
                    late_x = given - load(target, before, n)
                f = filter_step(x, late_x, cut, a, tail, y, late)
                store(grad, at, cast_like(f, x), n)
            least = where(graded == spread(_NONE), spread(np.float32(LEAST)), none)
            _back_in_place(
                grad, lo, n, columns, steps, a, has_tail, tail, length, scale, least, y, late, ahead
            )


@numba.njit(parallel=True, cache=True, nogil=True)
def filter_in_place(x, a, tail, length, scale, steps, ahead_KTL, goes_back, squares):
    """As ``filter_difference`` with a difference ``x``, and then as ``filter_adjoint``.

    The gradient takes the place of ``x``. Only ``squares`` is filled unless it ``goes_back``.
    """
    columns = len(x) // steps
    has_tail = is_cut(tail) and length < steps
    threads = len(ahead_KTL)
    for thread in numba.prange(threads):
        ahead = ahead_KTL[thread]
        y, late = np.zeros((2, len(tail) * LANES), tail.dtype)
        for item in range(thread, (columns + LANES - 1) // LANES, threads):
            lo = item * LANES
            n = min(LANES, columns - lo)
            y[:] = 0
            late[:] = 0
            none, graded = spread(np.float32(0)), spread(_NONE)
            total, of_word = spread(np.float64(0)), none
            for t in range(steps):
                at = t * columns + lo
                given = load(x, at, n)
                size = magnitude(given)
                graded = graded | as_ints((size != none) & (size != spread(np.float32(1))))
                cut = has_tail and t >= length
                before = ahead_of(ahead, given, steps - 1 - t, length, steps) if has_tail else given
                f = filter_step(given, before, cut, a, tail, y, late)
                of_word = of_word + cast_like(f * f, given)
                if t % WORD_BITS == WORD_BITS - 1 or t == steps - 1:
                    total = total + cast_like(of_word, total)
                    of_word = none
                if goes_back:
                    store(x, at, cast_like(f, given), n)
            store(squares, lo, total, n)
            if goes_back:
                least = where(graded == spread(_NONE), spread(np.float32(LEAST)), none)
                _back_in_place(
                    x, lo, n, columns, steps, a, has_tail, tail, length, scale, least, y, late,
                    ahead,
                )  # fmt: skip


@numba.njit(parallel=True, cache=True, nogil=True)
def convolve(x, h, direction, y):
    """``y[t] = Σ h[n] · x[t − n]`` over [steps, batch, neurons]; ``t + n`` for direction −1."""
    steps, batch, neurons = x.shape
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        total = np.empty(n)
        for t in range(steps):
            total[:] = 0
            for k in range(min(h.size, t + 1 if direction > 0 else steps - t)):
                x_k = x[t - direction * k, b, lo : lo + n]
                for i in range(n):
                    total[i] += h[k] * x_k[i]
            y_t = y[t, b, lo : lo + n]
            for i in range(n):
                y_t[i] = total[i]
