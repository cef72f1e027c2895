"""The container for spike events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.signedinteger]


@dataclass(frozen=True, eq=False)
class Event:
    """Spike events in the order in which a file or a caller gave them.

    ``x`` is the neuron's number, or the column where ``y`` is given; ``y`` is the row, or None for
    events that carry a plain neuron number; ``p`` is the polarity (the channel); ``t`` is the time
    in milliseconds. All are one-dimensional and of one length; otherwise ValueError.
    """

    x: Integers
    y: Integers | None
    p: Integers
    t: NDArray[np.float64]

    def __post_init__(self) -> None:
        columns = [self.x, self.p, self.t] if self.y is None else [self.x, self.y, self.p, self.t]
        if any(column.ndim != 1 or len(column) != len(self.t) for column in columns):
            shapes = ", ".join(str(column.shape) for column in columns)
            raise ValueError(
                f"event columns must be one-dimensional and equally long, not {shapes}"
            )

    def __len__(self) -> int:
        return len(self.t)

    def microseconds(self) -> NDArray[np.int64]:
        """Times in whole microseconds (nearest). Beyond ±46 days they stop at ±46 days.

        The limit keeps later integer arithmetic inside 64 bits; NaN becomes the lower limit.
        """
        limit_ms = TIME_LIMIT_US / 1000.0
        times_ms = np.clip(np.nan_to_num(self.t, nan=-limit_ms), -limit_ms, limit_ms)
        return np.rint(times_ms * 1000.0).astype(np.int64)


TIME_LIMIT_US = 4_000_000_000_000
