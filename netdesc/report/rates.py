"""Computes the spike rates of each layer's neurons, and counts silent and saturated neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.report.run import RunData
from netdesc.runs.activity_file import MIN_SATURATED_RATE


class LayerRates(NamedTuple):
    """The rates of a layer's neurons, and the numbers of silent and saturated neurons.

    ``rates`` is [neurons] in spikes per step; values other than 0 count as spikes. NaN, from a
    damaged file, counts as neither silent nor saturated. Of neurons that do not spike,
    ``saturated`` is None.
    """

    name: str
    rates: NDArray[np.floating]
    neurons: int
    silent: int
    saturated: int | None

    @classmethod
    def of(cls, name: str, rates: NDArray[np.floating], spikes: bool = True) -> LayerRates:
        silent = int(np.count_nonzero(rates == 0))
        saturated = int(np.count_nonzero(rates >= MIN_SATURATED_RATE)) if spikes else None
        return cls(name, rates, len(rates), silent, saturated)


def layer_rates(run: RunData) -> list[LayerRates]:
    """Returns the rates of all layers with neurons; an empty list if the run has no activity."""
    rates = {} if run.activity is None else run.activity.rates
    spiking = spiking_layers(run)
    return [LayerRates.of(name, each, name in spiking) for name, each in rates.items()]


def spiking_layers(run: RunData) -> set[str]:
    """Returns the names of the layers whose neurons spike; those of others hand on numbers."""
    layers = run.graph.neuron_layers
    return {layer.name for layer in layers if layer.neuron.equations().spike is not None}


def rate_unit(is_spiking: bool) -> str:
    return "spikes per step" if is_spiking else "outputs other than 0 per step"
