"""Coefficients of the van Rossum filter for the CPU and CUDA engines, without torch or Numba.

The convolution of k filters ``h[n] = aⁿ`` is ``C(n + k − 1, k − 1) aⁿ``; k chained one-pole
recurrences compute it. The filter is cut after ``length`` steps, so the tail of the recurrences,
computed by the same recurrences delayed by ``length`` steps, is subtracted. It is
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k. With a tail, states
have 64 bits, because the sum and the tail of a slow filter are large and nearly equal. If even 64
bits do not suffice, the signal is convolved with the filter step by step.
"""

from __future__ import annotations

import functools
import math

import numpy as np

_NEGLIGIBLE_TAIL = 1e-12
"""A tail smaller than this share of the filter's first value cannot be seen in 32 bits."""

_MAX_STEPS_IN_32_BITS = 16
"""Largest ``order / (1 − a)``, the steps that a filter looks back, for states of 32 bits.

Rounding changes ``a`` by up to 6e-8 of it, and the filter by that times the steps: a millionth.
"""

_MAX_CANCELLATION = 1e8
"""Largest ratio of the sum to its difference from the tail that leaves eight good digits."""


@functools.lru_cache(maxsize=64)
def recurrence(a: float, order: int, length: int) -> tuple[np.floating, np.ndarray]:
    """``a`` and the tail's coefficients [order], all 0 where it is negligible.

    Their type, float32 or float64, is the type that states need for six good digits.
    """
    tail = np.array(
        [a**length * math.comb(length + order - i - 1, order - i) for i in range(1, order + 1)]
    )
    if tail.max() > _NEGLIGIBLE_TAIL:
        return np.float64(a), tail
    if order > _MAX_STEPS_IN_32_BITS * (1 - a):
        return np.float64(a), np.zeros(order)
    return np.float32(a), np.zeros(order, np.float32)


@functools.lru_cache(maxsize=64)
def convolved(a: float, order: int, length: int, steps: int) -> np.ndarray | None:
    """The filter h [length] if recurrences are too inexact (``_MAX_CANCELLATION``), else None."""
    n = np.arange(max(steps, length), dtype=np.float64)
    h = np.float64(a) ** n
    for i in range(1, order):
        h *= (n + i) / i
    filter = h[:length]
    return filter if h[:steps].sum() > _MAX_CANCELLATION * filter.sum() else None
