"""What stays the same while a kernel walks with a layer's neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdesc.kernels.grid import DECAY_ONE
from netdesc.kernels.parameters import Dynamics

Shares = tuple[np.float32, np.float32]
"""What a step leaves of a neuron's current and of its voltage."""


class Constants(NamedTuple):
    """Neurons as kernels take them: ``*constants`` backward, ``*constants.there`` forward."""

    keep_u: np.ndarray
    """int32 [neurons], as the next two: 4096 less the current's decay."""
    keep_v: np.ndarray
    bias: np.ndarray
    threshold: np.int32
    delay: int
    height: float
    """Of the surrogate; its width is in state units."""
    width: float

    @property
    def shares(self) -> Shares | None:
        """Where all neurons decay alike."""
        found = []
        for keep in (self.keep_u, self.keep_v):
            if (keep != keep[0]).any():
                return None
            found.append(np.float32(keep[0]) * np.float32(1 / DECAY_ONE))
        return found[0], found[1]

    def part(self, first: int, last: int) -> Constants:
        """Those of the neurons from one to before another."""
        keep_u, keep_v, bias = (each[first:last] for each in self[:3])
        return self._replace(keep_u=keep_u, keep_v=keep_v, bias=bias)

    @property
    def there(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.int32, int]:
        return self[:5]


def constants_of(neurons: Dynamics) -> Constants:
    return Constants(
        neurons.keep_u.numpy(),
        neurons.keep_v.numpy(),
        neurons.bias.numpy(),
        np.int32(neurons.threshold),
        neurons.delay,
        neurons.height,
        neurons.width,
    )
