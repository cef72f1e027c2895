"""The truncated exponential filter of the van Rossum distance and its adjoint, as recurrences.

``filters`` says how many there are and what is subtracted from them; ``tail`` and ``a`` carry the
width in which they compute.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.steps import FAST, flush
from netdesc.kernels.filters import convolved, recurrence
from netdesc.kernels.packed_spikes import WORD_BITS

_ONE_BIT = np.uint32(1)
_ONE = np.uint32(0x3F800000)
"""The bits of 1.0 as a 32-bit float."""

__all__ = ["convolve", "convolved", "filter_adjoint", "filter_difference", "recurrence"]


@numba.njit(inline="always", fastmath=FAST)
def _chain(x, a, y):
    """One step of the chained recurrences: ``y[0] = a·y[0] + x``, ``y[k] = a·y[k] + y[k − 1]``."""
    orders, n = y.shape
    for i in range(n):
        y[0, i] = flush(a * y[0, i] + x[i])
    for k in range(1, orders):
        for i in range(n):
            y[k, i] = flush(a * y[k, i] + y[k - 1, i])


@numba.njit(inline="always", fastmath=FAST)
def _subtract_tail(tail, late, filtered):
    for k in range(tail.size):
        for i in range(filtered.size):
            filtered[i] -= tail[k] * late[k, i]


@numba.njit(inline="always", fastmath=FAST)
def _difference(output, target, x):
    for i in range(x.size):
        x[i] = output[i] - target[i]


@numba.njit(inline="always", fastmath=FAST)
def _difference_of_bits(words, bit, target, x):
    for i in range(x.size):
        x[i] = np.float32(np.int32((words[i] >> bit) & _ONE_BIT)) - target[i]


@numba.njit(inline="always")
def _pack(bits, place, word, odd):
    for i in range(word.size):
        word[i] |= np.uint32(np.uint32(bits[i] != 0) << place)
        odd[i] |= np.uint32((bits[i] != 0) & (bits[i] != _ONE))


@numba.njit(inline="always", fastmath=FAST)
def _filtered(x, late_x, cut, a, tail, y, late, f):
    """One step of the filter: ``f`` from the states of the recurrences and the delayed ones."""
    _chain(x, a, y)
    f[:] = y[tail.size - 1]
    if cut:
        _chain(late_x, a, late)
        _subtract_tail(tail, late, f)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def filter_difference(output, target, a, tail, length, tile, words, odd, squares):
    """Filter ``output − target`` [steps, batch, neurons]; ``squares`` [batch, neurons] sums f².

    ``words`` gets the output's spikes, a bit each (see ``kernels.packed_spikes``), and ``odd``
    [batch, neurons] is not 0 where a value is neither 0 nor 1, so that a bit does not hold it.
    """
    steps, batch, neurons = output.shape
    bits = output.view(np.uint32)
    tiles = (neurons + tile - 1) // tile
    has_tail = tail.max() > 0
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        x, late_x, f = np.empty((3, n), tail.dtype)
        y, late = np.zeros((2, tail.size, n), tail.dtype)
        total = np.zeros(n)
        word, strange = np.zeros((2, n), np.uint32)
        for t in range(steps):
            cut = has_tail and t >= length
            _difference(output[t, b, lo : lo + n], target[t, b, lo : lo + n], x)
            if cut:
                at = t - length
                _difference(output[at, b, lo : lo + n], target[at, b, lo : lo + n], late_x)
            _filtered(x, late_x, cut, a, tail, y, late, f)
            for i in range(n):
                total[i] += f[i] * f[i]
            place = np.uint32(t % WORD_BITS)
            _pack(bits[t, b, lo : lo + n], place, word, strange)
            if place == WORD_BITS - 1 or t == steps - 1:
                words[t // WORD_BITS, b, lo : lo + n] = word
                word[:] = 0
        squares[b, lo : lo + n] = total
        odd[b, lo : lo + n] = strange


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def filter_adjoint(
    output, words, from_words, target, a, tail, length, scale, tile, filtered_KTN, grad
):
    """The output's gradient: f again, and the filter run backward in time over ``scale · f``.

    A thread takes one tile after the other and holds its f in ``filtered_KTN`` [threads, steps,
    tile]. The output is read from
    ``words`` where told, and may then be empty.
    """
    steps, batch, neurons = target.shape
    tiles = (neurons + tile - 1) // tile
    has_tail = tail.max() > 0
    for thread in numba.prange(len(filtered_KTN)):
        filtered = filtered_KTN[thread]
        for item in range(thread, batch * tiles, len(filtered_KTN)):
            b = item // tiles
            lo = (item % tiles) * tile
            n = min(tile, neurons - lo)
            x, late_x, f = np.empty((3, n), tail.dtype)
            y, late = np.zeros((2, tail.size, n), tail.dtype)
            for t in range(steps):
                cut = has_tail and t >= length
                if from_words:
                    place = np.uint32(t % WORD_BITS)
                    words_t = words[t // WORD_BITS, b, lo : lo + n]
                    _difference_of_bits(words_t, place, target[t, b, lo : lo + n], x)
                else:
                    _difference(output[t, b, lo : lo + n], target[t, b, lo : lo + n], x)
                if cut:
                    at = t - length
                    if from_words:
                        place = np.uint32(at % WORD_BITS)
                        words_t = words[at // WORD_BITS, b, lo : lo + n]
                        _difference_of_bits(words_t, place, target[at, b, lo : lo + n], late_x)
                    else:
                        _difference(output[at, b, lo : lo + n], target[at, b, lo : lo + n], late_x)
                _filtered(x, late_x, cut, a, tail, y, late, f)
                filtered[t, :n] = f
            y[:] = 0
            late[:] = 0
            for t in range(steps - 1, -1, -1):
                cut = has_tail and t + length < steps
                after = filtered[t + length if cut else t, :n]
                _filtered(filtered[t, :n], after, cut, a, tail, y, late, f)
                g_t = grad[t, b, lo : lo + n]
                for i in range(n):
                    g_t[i] = np.float32(scale * f[i])


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def convolve(x, h, direction, tile, y):
    """``y[t] = Σ h[n] · x[t − n]`` over [steps, batch, neurons]; ``t + n`` for direction −1."""
    steps, batch, neurons = x.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
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
