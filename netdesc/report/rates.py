"""How often the neurons of each layer spike, and which never or nearly always do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.report.run import Run

SATURATED = 0.9
"""Spikes a step from which on a neuron counts as saturated: nine steps of ten."""


@dataclass(frozen=True, eq=False)
class LayerRates:
    """The rates of a layer's neurons, spikes a step; NaN in a damaged file counts as neither."""

    name: str
    rates: NDArray[np.floating]

    @property
    def neurons(self) -> int:
        return len(self.rates)

    @property
    def silent(self) -> int:
        """Neurons without a spike."""
        return int(np.count_nonzero(self.rates == 0))

    @property
    def saturated(self) -> int:
        """Neurons that spike in at least ``SATURATED`` of all steps."""
        return int(np.count_nonzero(self.rates >= SATURATED))

    @property
    def mean(self) -> float:
        return float(np.mean(self.rates))

    @property
    def median(self) -> float:
        return float(np.median(self.rates))

    @property
    def highest(self) -> float:
        return float(np.max(self.rates))


def layer_rates(run: Run) -> list[LayerRates]:
    """All layers with neurons; empty where the run has no activity."""
    if run.activity is None:
        return []
    return [LayerRates(name, rates) for name, rates in run.activity.rates.items()]
