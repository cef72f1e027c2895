"""The bins of a raster: which event is where, and what two recordings share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.events.binning import Rounding, cells, step_numbers
from netdesc.events.container import Event

Bins = NDArray[np.int64]
"""Bins with a spike, each once and in order, numbered ``step * neurons + neuron``."""

_MOST_BINS = 2**62


class PictureError(ValueError):
    """Something cannot be drawn; the message says why."""

    exit_code = 1


@dataclass(frozen=True)
class Grid:
    """Steps and neurons of a raster. It holds no bins, so it may be far larger than memory."""

    steps: int
    neurons: int
    step_ms: float = 1.0
    rounding: Rounding = "nearest"

    @staticmethod
    def around(
        *recordings: Event,
        step_ms: float = 1.0,
        rounding: Rounding = "nearest",
        neurons: int | None = None,
        until_ms: float | None = None,
    ) -> Grid:
        """The smallest grid from step 0 and neuron 0 with every event, or as large as is said.

        PictureError where there are no events, or more bins than can be numbered.
        """
        if not any(len(event) for event in recordings):
            raise PictureError("there are no events, so there is nothing to draw")
        if neurons is None:
            neurons = 1 + max(int(event.x.max(initial=0)) for event in recordings)
        if until_ms is None:
            found = (step_numbers(event, step_ms, rounding) for event in recordings)
            steps = 1 + max(int(step.max(initial=0)) for step in found)
        else:
            steps = math.ceil(until_ms / step_ms)
        if steps * neurons > _MOST_BINS:
            raise PictureError(
                f"{steps:,} steps of {neurons:,} neurons are too many; take longer steps"
            )
        return Grid(steps, neurons, step_ms, rounding)

    def bins(self, event: Event) -> tuple[Bins, int]:
        """The bins with an event, and how many events lie outside the grid."""
        flat, outside = cells(event, (self.neurons,), self.steps, self.step_ms, self.rounding)
        flat.sort()  # np.unique is a hundred times slower in some releases of numpy
        return flat[np.append(True, np.diff(flat) != 0)[: len(flat)]], outside

    def places(self, bins: Bins) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The steps and the neurons of ``bins``."""
        step, neuron = np.divmod(bins, self.neurons)
        return step, neuron


class Comparison(NamedTuple):
    """What two rasters share."""

    only_first: Bins
    only_second: Bins
    both: Bins

    def counts(self) -> dict[str, int]:
        """How many bins each part has."""
        return {name: len(bins) for name, bins in self._asdict().items()}


def compare(first: Bins, second: Bins) -> Comparison:
    """Sorts the bins of two rasters on one grid into those of the one, the other and both."""
    both = np.intersect1d(first, second, assume_unique=True)
    only_first = np.setdiff1d(first, both, assume_unique=True)
    only_second = np.setdiff1d(second, both, assume_unique=True)
    return Comparison(only_first, only_second, both)
