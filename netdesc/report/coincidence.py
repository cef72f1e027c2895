"""Spike coincidence: how many output and target spikes match within a tolerance in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.runs.activity_file import Sample, SpikeRaster

TOLERANCES = (0, 1, 2, 5)
"""Tolerances in time, in steps."""


@dataclass(frozen=True)
class Coincidence:
    """Numbers of spikes and of matched spikes, summed over samples.

    A spike of one is matched if the same neuron spikes in the other at most ``tolerance`` steps
    earlier or later.
    """

    tolerance: int
    targets: int
    matched_targets: int
    outputs: int
    matched_outputs: int

    @property
    def recall(self) -> float:
        """The share of the target spikes that are matched; 1 if there are no target spikes."""
        return self.matched_targets / self.targets if self.targets else 1.0

    @property
    def precision(self) -> float:
        """The share of the output spikes that are matched; 1 if there are no output spikes."""
        return self.matched_outputs / self.outputs if self.outputs else 1.0


def spike_pairs(samples: Sequence[Sample]) -> list[tuple[SpikeRaster, SpikeRaster]]:
    """Returns output and target of the samples that have both."""
    pairs = [(sample.output, sample.target) for sample in samples]
    return [(output, target) for output, target in pairs if output and target]


def coincidences(samples: Sequence[Sample]) -> list[Coincidence]:
    """Compares output and target of samples that have both, for each of ``TOLERANCES``."""
    pairs = [_spike_times(*rasters) for rasters in spike_pairs(samples)]
    return [
        Coincidence(
            tolerance,
            targets=sum(len(target) for _, target in pairs),
            matched_targets=sum(_count_near(target, output, tolerance) for output, target in pairs),
            outputs=sum(len(output) for output, _ in pairs),
            matched_outputs=sum(_count_near(output, target, tolerance) for output, target in pairs),
        )
        for tolerance in TOLERANCES
        if pairs
    ]


Times = NDArray[np.int64]


def _spike_times(*rasters: SpikeRaster) -> tuple[Times, ...]:
    """Returns the spikes of each raster before the earliest ``cut``, sorted int64 [spikes]:
    ``cell * length + step``, with so large a length that different neurons never match."""
    end = min(raster.steps if raster.cut is None else raster.cut for raster in rasters)
    length = rasters[0].steps + max(TOLERANCES) + 1
    columns = [raster.events.astype(np.int64).T for raster in rasters]
    return tuple(np.sort((cells * length + steps)[steps < end]) for steps, cells in columns)


def _count_near(spikes: Times, others: Times, tolerance: int) -> int:
    first = np.searchsorted(others, spikes - tolerance, side="left")
    after = np.searchsorted(others, spikes + tolerance, side="right")
    return int(np.count_nonzero(after > first))
