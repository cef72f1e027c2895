"""What stays the same while a kernel walks with a layer's neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdesc.kernels.parameters import Dynamics


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
