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

MAX_DOTS = 200_000
"""Dots that matplotlib is given: it needs some hundred bytes for each."""

_MAX_BINS = 2**62
_POOLED_SIZE = (1500, 1000)


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
        if steps * neurons > _MAX_BINS:
            raise PictureError(
                f"{steps:,} steps of {neurons:,} neurons are too many; take longer steps"
            )
        return Grid(steps, neurons, step_ms, rounding)

    def bins(self, event: Event) -> tuple[Bins, int]:
        """The bins with an event, and how many events lie outside the grid."""
        flat, outside = cells(event, (self.neurons,), self.steps, self.step_ms, self.rounding)
        flat.sort()  # np.unique is a hundred times slower in some releases of numpy
        return flat[np.append(True, np.diff(flat) != 0)[: len(flat)]], outside

    def pooled(self, bins: Bins, width: int, height: int) -> NDArray[np.bool_]:
        """The raster as ``[neurons, steps]``, neuron 0 first, of at most ``[height, width]`` cells.

        A cell of several bins is true where any of them has a spike: none is lost.
        """
        step, neuron = np.divmod(bins, self.neurons)
        seen = np.zeros((min(height, self.neurons), min(width, self.steps)), bool)
        seen[_scaled(neuron, self.neurons, len(seen)), _scaled(step, self.steps, seen.shape[1])] = 1
        return seen

    def dots(self, bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and neurons at which dots show ``bins``.

        There is a dot for each bin; beyond ``MAX_DOTS`` bins those that would meet are one.
        """
        if len(bins) <= MAX_DOTS:
            step, neuron = np.divmod(bins, self.neurons)
            return step.astype(np.float64), neuron.astype(np.float64)
        seen = self.pooled(bins, *_POOLED_SIZE)
        neuron, step = (
            (place + 0.5) * of / size - 0.5
            for place, of, size in zip(
                np.nonzero(seen), (self.neurons, self.steps), seen.shape, strict=True
            )
        )
        return step, neuron


def _scaled(number: NDArray[np.int64], of: int, size: int) -> NDArray[np.int64]:
    """Numbers below ``of`` as numbers below ``size``. Their product may be beyond 64 bits."""
    return np.minimum(number * (size / of), size - 1).astype(np.int64)


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
