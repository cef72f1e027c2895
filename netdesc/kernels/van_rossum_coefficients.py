"""Coefficients of the van Rossum filter for the CPU and CUDA engines, without torch or Numba.

``reference/van_rossum.py`` defines the filter: the convolution of k filters ``aⁿ`` is
``h[n] = C(n + k − 1, k − 1) aⁿ``, and h is cut after ``length`` steps. The engines compute the
filter with k chained one-pole recurrences y₁..y_k. To cut the filter, they subtract its tail, which
they compute from the same recurrences ``length`` steps earlier:
``a^length · Σ_i C(length + k − i − 1, k − i) · y_i[t − length]``, i = 1..k.

A tail that is too small to change a 32-bit result is not subtracted. Otherwise the recurrences'
states have 64 bits, because the sum and the tail of a slow filter are large and nearly equal. If
even 64 bits do not suffice, the reference computes the filter on all engines.
"""

import functools
import math

import numpy as np

_NEGLIGIBLE_TAIL = 1e-12
"""A tail below this share of the filter's first value is lost in the rounding of 32-bit floats."""

_MAX_STEPS_IN_32_BITS = 16
"""Largest ``order / (1 − a)`` for states of 32 bits: the number of steps that a filter looks back.

Rounding ``a`` to 32 bits causes a relative error of up to 6e-8. Over this number of steps, the
filter's error grows to 1e-6.
"""

_MAX_CANCELLATION = 1e8
"""Largest ratio of the uncut filter's sum to the cut filter's sum.

Up to this ratio, the difference of filter and tail has eight correct digits in 64 bits.
"""


@functools.lru_cache(maxsize=64)
def recurrence(a: float, order: int, length: int) -> tuple[np.floating, np.ndarray]:
    """Returns ``a`` and the tail's coefficients [order], which are all 0 if the tail is negligible.

    Both have the type, float32 or float64, that states need for six correct digits.
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
def are_inexact(a: float, order: int, length: int, steps: int) -> bool:
    """Whether recurrences are too inexact for signals of ``steps`` steps.

    They are if ``_MAX_CANCELLATION`` is exceeded in so many steps.
    """
    n = np.arange(max(steps, length), dtype=np.float64)
    h = np.float64(a) ** n
    for i in range(1, order):
        h *= (n + i) / i
    return bool(h[:steps].sum() > _MAX_CANCELLATION * h[:length].sum())
