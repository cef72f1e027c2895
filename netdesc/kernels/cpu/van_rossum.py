"""The truncated exponential filter of the van Rossum distance and its adjoint, as recurrences.

Convolving ``h[n] = aⁿ`` k times with itself gives ``C(n + k − 1, k − 1) aⁿ``: k chained one-pole
recurrences. The filter is cut after ``length`` steps, so the recurrences' tail is subtracted; with
the same recurrences delayed by ``length`` steps it is
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k. Where there is a tail,
states are 64 bits wide, because for a slow filter the sum and its tail are large and close to one
another; ``tail`` and ``a`` carry the width. Where 64 bits do not suffice either, the filter is
convolved step by step.
"""

from __future__ import annotations

import functools
import math

import numba
import numpy as np

from netdesc.kernels.cpu.steps import FAST, flush

_NEGLIGIBLE = 1e-12
"""A tail smaller than this share of the filter's first value cannot be seen in 32 bits."""

_FASTEST_IN_64_BITS = 0.95
"""A decay per step above this would be too coarse in 32 bits: what counts is 1 − decay."""

_LARGEST_CANCELLATION = 1e8
"""How much larger than their difference sum and tail may get, for eight good digits to be left."""


@functools.lru_cache(maxsize=64)
def recurrence(a: float, order: int, length: int) -> tuple[np.floating, np.ndarray]:
    """``a`` and the tail's coefficients [order], all 0 where it is negligible."""
    tail = np.array(
        [a**length * math.comb(length + order - i - 1, order - i) for i in range(1, order + 1)]
    )
    if tail.max() > _NEGLIGIBLE:
        return np.float64(a), tail
    if a > _FASTEST_IN_64_BITS:
        return np.float64(a), np.zeros(order)
    return np.float32(a), np.zeros(order, np.float32)


@functools.lru_cache(maxsize=64)
def convolved(a: float, order: int, length: int, steps: int) -> np.ndarray | None:
    """The filter h [length] where recurrences would lose it in their tail; None elsewhere."""
    n = np.arange(max(steps, length), dtype=np.float64)
    h = np.float64(a) ** n
    for i in range(1, order):
        h *= (n + i) / i
    kept = h[:length]
    return kept if h[:steps].sum() > _LARGEST_CANCELLATION * kept.sum() else None


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
