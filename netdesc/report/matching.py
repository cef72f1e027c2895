"""How well output spikes meet target spikes, exactly and with some room in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.report.activity import Raster, Sample

TOLERANCES = (0, 1, 2, 5)
"""Steps."""


@dataclass(frozen=True)
class Match:
    """``met`` target spikes have an output spike of the same neuron within ``tolerance`` steps.

    ``wanted`` output spikes have a target spike so near. Sums over samples.
    """

    tolerance: int
    targets: int
    met: int
    outputs: int
    wanted: int

    @property
    def met_share(self) -> float:
        """Of the target spikes; 1 where there are none."""
        return self.met / self.targets if self.targets else 1.0

    @property
    def wanted_share(self) -> float:
        """Of the output spikes; 1 where there are none."""
        return self.wanted / self.outputs if self.outputs else 1.0


def match(samples: Sequence[Sample]) -> list[Match]:
    """The samples with targets, compared at each of ``TOLERANCES``; empty where there are none."""
    pairs = [
        _comparable(sample.output, sample.target) for sample in samples if sample.target is not None
    ]
    if not pairs:
        return []
    return [
        Match(
            tolerance,
            targets=sum(len(target) for _, target in pairs),
            met=sum(_near(target, output, tolerance) for output, target in pairs),
            outputs=sum(len(output) for output, _ in pairs),
            wanted=sum(_near(output, target, tolerance) for output, target in pairs),
        )
        for tolerance in TOLERANCES
    ]


Times = NDArray[np.int64]


def _comparable(output: Raster, target: Raster) -> tuple[Times, Times]:
    """Both as times on one line, sorted, cut where the shorter one was cut.

    The line has one neuron after the other, far enough apart for no tolerance to reach across.
    """
    end = min(raster.cut if raster.cut is not None else raster.steps for raster in (output, target))
    length = output.steps + max(TOLERANCES) + 1
    lines: list[Times] = []
    for raster in (output, target):
        steps, cells = raster.events.astype(np.int64).T
        kept = steps < end
        lines.append(np.sort(cells[kept] * length + steps[kept]))
    return lines[0], lines[1]


def _near(spikes: Times, others: Times, tolerance: int) -> int:
    """How many of ``spikes`` have one of ``others`` within ``tolerance`` steps."""
    first = np.searchsorted(others, spikes - tolerance, side="left")
    after = np.searchsorted(others, spikes + tolerance, side="right")
    return int(np.count_nonzero(after > first))
