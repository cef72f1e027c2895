"""Spike rasters as events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

MOST_EVENTS = 200_000
"""The most events of a raster; what comes later is left out."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Events, int32 [events, 2] of (step, row-major cell) in order.

    In memory all steps come first, and then all cells: files deflate them several times smaller.
    ``cut`` is the step from which on they were too many, and were left out.
    """

    events: NDArray[np.int32]
    cut: int | None = None


def raster_of(spikes_TN: torch.Tensor) -> Raster:
    """The raster of one sample, [steps, *shape], not 0 where there is a spike."""
    steps, cells = np.nonzero(spikes_TN.flatten(1).cpu().numpy())
    cut = None
    if len(steps) > MOST_EVENTS:
        cut = int(steps[MOST_EVENTS])
        kept = np.searchsorted(steps, cut)
        steps, cells = steps[:kept], cells[:kept]
    return Raster(np.array((steps, cells), np.int32).T, cut)
