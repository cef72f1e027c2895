"""How many output spikes and target spikes coincide, exactly and with a tolerance in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.report.activity import Raster, Sample

TOLERANCES = (0, 1, 2, 5)
"""Steps."""


@dataclass(frozen=True)
class Coincidence:
    """``met`` of the target spikes have an output spike of the same neuron within ``tolerance``.

    ``right`` of the output spikes have a target spike so near. Sums over samples; the tolerance is
    in steps.
    """

    tolerance: int
    targets: int
    met: int
    outputs: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the target spikes that are met; 1 where there are none."""
        return self.met / self.targets if self.targets else 1.0

    @property
    def precision(self) -> float:
        """Share of the output spikes that are right; 1 where there are none."""
        return self.right / self.outputs if self.outputs else 1.0


def coincidences(samples: Sequence[Sample]) -> list[Coincidence]:
    """The samples with targets, compared at each of ``TOLERANCES``; empty where there are none."""
    pairs = [_comparable(each.output, each.target) for each in samples if each.target is not None]
    return [
        Coincidence(
            tolerance,
            targets=sum(len(target) for _, target in pairs),
            met=sum(_count_near(target, output, tolerance) for output, target in pairs),
            outputs=sum(len(output) for output, _ in pairs),
            right=sum(_count_near(output, target, tolerance) for output, target in pairs),
        )
        for tolerance in TOLERANCES
        if pairs
    ]


Times = NDArray[np.int64]


def _comparable(*rasters: Raster) -> tuple[Times, ...]:
    """Rasters as times on one line, sorted, cut where the shortest one was cut.

    The line has one neuron after the other, far enough apart for no tolerance to reach across.
    """
    end = min(raster.steps if raster.cut is None else raster.cut for raster in rasters)
    length = rasters[0].steps + max(TOLERANCES) + 1
    columns = [raster.events.astype(np.int64).T for raster in rasters]
    return tuple(np.sort((cells * length + steps)[steps < end]) for steps, cells in columns)


def _count_near(spikes: Times, others: Times, tolerance: int) -> int:
    """How many of ``spikes`` have one of ``others`` within ``tolerance`` steps."""
    first = np.searchsorted(others, spikes - tolerance, side="left")
    after = np.searchsorted(others, spikes + tolerance, side="right")
    return int(np.count_nonzero(after > first))
