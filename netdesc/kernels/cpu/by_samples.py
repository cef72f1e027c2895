"""Losses whose gradient is never whole, but there for some samples after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from netdesc.kernels.cpu.threads import threads

_AT_ONCE = 1 << 18
"""Numbers of a gradient by the spikes that are there at once: few, as long as they are so many."""

_PARTS = 2
"""Or this part of it, if that is more: each part goes through all weights anew."""


@dataclass(frozen=True, eq=False)
class BySamples:
    """A loss whose gradient by the spikes is asked for so many samples ``at_once``.

    Or less, where no more are left, or for all of them.
    """

    gradient: Callable[[int, int], Tensor]
    """Of the samples from one to before another, float32 [steps, samples, neurons]."""
    loss: Callable[[], Tensor]
    """Known when all have been asked for."""
    at_once: int


def samples_at_once(shape: tuple[int, int, int], parts: int = _PARTS) -> int:
    """Of that many steps, samples and neurons; threads share out samples."""
    steps, batch, neurons = shape
    return max(threads(), _AT_ONCE // (steps * neurons), batch // parts)
