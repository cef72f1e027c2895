"""How often the neurons of each layer spike, and which never or nearly always do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.report.run import Run

SATURATED = 0.9
"""Spikes a step from which on a neuron counts as saturated: nine steps of ten."""


class LayerRates(NamedTuple):
    """A layer's rates, spikes a step, [neurons]; how many neurons never spike, or nearly always.

    NaN in a damaged file counts as neither.
    """

    name: str
    rates: NDArray[np.floating]
    neurons: int
    silent: int
    saturated: int

    @classmethod
    def of(cls, name: str, rates: NDArray[np.floating]) -> LayerRates:
        silent, saturated = np.count_nonzero(rates == 0), np.count_nonzero(rates >= SATURATED)
        return cls(name, rates, len(rates), int(silent), int(saturated))


def layer_rates(run: Run) -> list[LayerRates]:
    """All layers with neurons; empty where the run has no activity."""
    rates = {} if run.activity is None else run.activity.rates
    return [LayerRates.of(name, each) for name, each in rates.items()]
