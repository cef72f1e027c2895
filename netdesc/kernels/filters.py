"""How the van Rossum distance is filtered, for the engines that are fast: free of torch and Numba.

Convolving ``h[n] = aⁿ`` k times with itself gives ``C(n + k − 1, k − 1) aⁿ``: k chained one-pole
recurrences. The filter is cut after ``length`` steps, so the recurrences' tail is subtracted; with
the same recurrences delayed by ``length`` steps it is
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k. Where there is a tail,
states are 64 bits wide, because for a slow filter the sum and its tail are large and close to one
another. Where 64 bits do not suffice either, the filter is convolved step by step.
"""

from __future__ import annotations

import functools
import math

import numpy as np

_NEGLIGIBLE = 1e-12
"""A tail smaller than this share of the filter's first value cannot be seen in 32 bits."""

_FASTEST_IN_64_BITS = 0.95
"""A decay per step above this would be too coarse in 32 bits: what counts is 1 − decay."""

LEAST = 2.0**-24
"""Below what a spike's gradient counts as 0 where trains of spikes are compared.

It is half of what shows in a 32-bit 1.0, and a single spike that is missing or too many, with no
other near it, has a gradient of 1 at least. Around it gradients decay, for ever if nothing ends
them, and with them all that is worked out from them.
"""

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
