"""Coefficients of the van Rossum filter for the CPU and CUDA engines, without torch or Numba.

``reference/van_rossum.py`` defines the filter: a convolution of k filters ``h[n] = aⁿ``, which is
``C(n + k − 1, k − 1) aⁿ``, cut after ``length`` steps. The engines compute it by k chained one-pole
recurrences y₁..y_k. The cut is made by subtracting the filter's tail, which is computed from the
same recurrences ``length`` steps before:
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k.

With a tail, states have 64 bits, because the sum and the tail of a slow filter are large and nearly
equal. If even 64 bits do not suffice, the signal is convolved with the filter step by step.
"""

from __future__ import annotations

import functools
import math

import numpy as np

_NEGLIGIBLE_TAIL = 1e-12
"""A tail smaller than this share of the filter's first value cannot be seen in 32 bits."""

_MAX_STEPS_IN_32_BITS = 16
"""Largest ``order / (1 − a)``, the steps that a filter looks back, for states of 32 bits.

Rounding ``a`` to 32 bits has a relative error of up to 6e-8. The filter's error is that times the
steps: a millionth.
"""

_MAX_CANCELLATION = 1e8
"""Largest ratio of the uncut filter's sum to the cut filter's sum that leaves eight good digits."""


@functools.lru_cache(maxsize=64)
def recurrence(a: float, order: int, length: int) -> tuple[np.floating, np.ndarray]:
    """Returns ``a`` and the tail's coefficients [order], which are all 0 if the tail is negligible.

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
    """Returns the filter h [length] if recurrences are too inexact, else None.

    ``_MAX_CANCELLATION`` decides this for a signal of ``steps`` steps.
    """
    n = np.arange(max(steps, length), dtype=np.float64)
    h = np.float64(a) ** n
    for i in range(1, order):
        h *= (n + i) / i
    filter = h[:length]
    return filter if h[:steps].sum() > _MAX_CANCELLATION * filter.sum() else None
