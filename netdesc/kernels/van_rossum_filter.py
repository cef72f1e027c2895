"""Coefficients of the van Rossum filter, for the fast engines; imports neither torch nor Numba.

Convolving ``h[n] = aⁿ`` k times with itself gives ``C(n + k − 1, k − 1) aⁿ``: k chained one-pole
recurrences. The filter is cut after ``length`` steps, so the recurrences' tail is subtracted; with
the same recurrences delayed by ``length`` steps it is
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k. Where there is a tail,
states have 64 bits, because for a slow filter the sum and its tail are large and close to one
another. Where 64 bits do not suffice either, the filter is convolved step by step.
"""

from __future__ import annotations

import functools
import math

import numpy as np

_NEGLIGIBLE_TAIL = 1e-12
"""A tail smaller than this share of the filter's first value cannot be seen in 32 bits."""

_MAX_STEPS_IN_32_BITS = 16
"""Most steps, ``order / (1 − a)``, that a filter may look back for states of 32 bits.

``a`` itself is rounded by 6e-8 of it, and the filter by as many times that, in the end a millionth.
"""

_MAX_CANCELLATION = 1e8
"""How much larger than their difference sum and tail may get, for eight good digits to be left."""


@functools.lru_cache(maxsize=64)
def recurrence(a: float, order: int, length: int) -> tuple[np.floating, np.ndarray]:
    """``a`` and the tail's coefficients [order], all 0 where it is negligible.

    Their type, float32 or float64, is the one that states need for six good digits.
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
    """The filter h [length] where recurrences would lose it in their tail; None elsewhere."""
    n = np.arange(max(steps, length), dtype=np.float64)
    h = np.float64(a) ** n
    for i in range(1, order):
        h *= (n + i) / i
    kept = h[:length]
    return kept if h[:steps].sum() > _MAX_CANCELLATION * kept.sum() else None
