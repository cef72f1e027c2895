"""The truncated exponential filter of the van Rossum distance and its adjoint, as recurrences.

``filters`` says how many there are and what is subtracted from them; ``tail`` and ``a`` carry the
width in which they compute.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.steps import FAST, flush
from netdesc.kernels.filters import convolved, recurrence

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


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def filter_difference(output, target, a, tail, length, tile, filtered, squares):
    """Filter ``output − target`` [steps, batch, neurons]; ``squares`` [batch, neurons] sums f²."""
    steps, batch, neurons = output.shape
    tiles = (neurons + tile - 1) // tile
    has_tail = tail.max() > 0
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        x = np.empty(n, tail.dtype)
        f = np.empty(n, tail.dtype)
        y = np.zeros((tail.size, n), tail.dtype)
        late = np.zeros((tail.size, n), tail.dtype)
        total = np.zeros(n)
        for t in range(steps):
            out_t, target_t = output[t, b, lo : lo + n], target[t, b, lo : lo + n]
            for i in range(n):
                x[i] = out_t[i] - target_t[i]
            _chain(x, a, y)
            f[:] = y[tail.size - 1]
            if has_tail and t >= length:
                out_t = output[t - length, b, lo : lo + n]
                target_t = target[t - length, b, lo : lo + n]
                for i in range(n):
                    x[i] = out_t[i] - target_t[i]
                _chain(x, a, late)
                _subtract_tail(tail, late, f)
            f_t = filtered[t, b, lo : lo + n]
            for i in range(n):
                f_t[i] = f[i]
                total[i] += f[i] * f[i]
        squares[b, lo : lo + n] = total


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def filter_adjoint(filtered, a, tail, length, scale, tile, grad):
    """The filter run backward in time over ``filtered``, times ``scale``: the output's gradient."""
    steps, batch, neurons = filtered.shape
    tiles = (neurons + tile - 1) // tile
    has_tail = tail.max() > 0
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        f = np.empty(n, tail.dtype)
        y = np.zeros((tail.size, n), tail.dtype)
        late = np.zeros((tail.size, n), tail.dtype)
        for t in range(steps - 1, -1, -1):
            _chain(filtered[t, b, lo : lo + n], a, y)
            f[:] = y[tail.size - 1]
            if has_tail and t + length < steps:
                _chain(filtered[t + length, b, lo : lo + n], a, late)
                _subtract_tail(tail, late, f)
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
