"""What a run gives: the output spikes of a network, and measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Graph


@dataclass(frozen=True)
class LayerSpikes:
    """The number of spikes of a layer, or of the input, over all neurons and steps."""

    layer: str
    neurons: int
    spikes: int


@dataclass(frozen=True)
class TargetComparison:
    """The comparison of the output with the document's target for this input."""

    loss: float
    target_spikes: int
    met: int
    """The number of target spikes that the output has in the same step and neuron."""


@dataclass(frozen=True)
class Classification:
    """The class that the network predicts, and the document's label for this input."""

    prediction: int | None
    """The predicted class; None if the output is silent."""
    label: int | None
    """The label; None if the document has no label for this input."""


class ForwardResult(NamedTuple):
    """What a run computes of its input."""

    steps: int
    input_spikes: int
    output_index: NDArray[np.int64]
    """The indices in [steps, *output shape] of the outputs that are not 0, in their order."""
    counts: dict[str, int]
    """Name of a layer of neurons -> the number of its spikes."""
    range_warnings: list[str]


@dataclass(frozen=True, eq=False)
class Result:
    """The output spikes of a network, and measurements.

    ``comparison`` is None if the document has no target for the input. ``classification`` is None
    if the network does not classify. ``warnings`` give reasons why the output may be wrong.
    """

    graph: Graph
    steps: int
    """The number of steps of the input."""
    output_index: NDArray[np.int64]
    """The indices in [steps, *output shape] of the outputs that are not 0, in their order."""
    layers: list[LayerSpikes]
    comparison: TargetComparison | None
    classification: Classification | None
    warnings: list[str]

    @property
    def spikes_TN(self) -> NDArray[np.bool_]:
        """The output spikes, bool [steps, *output shape]."""
        return dense_spikes(self.graph, self.steps, self.output_index)


def dense_spikes(graph: Graph, steps: int, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns the output of an input of so many steps; ``index`` is ``output_index``."""
    spikes_TN = np.zeros((-(-steps // graph.decimation), *graph.output_shape), np.bool_)
    spikes_TN.reshape(-1)[index] = True
    return spikes_TN
