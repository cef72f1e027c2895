"""What a run gives: the output spikes of a network, and measurements."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.outline import Cell, Outline, Outlined, first_warnings
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


@dataclass(frozen=True, eq=False, repr=False)
class Result(Outlined):
    """The output of a network, and measurements.

    ``comparison`` is None if the document has no target for the input. ``classification`` is None
    if the network does not classify. ``warnings`` give reasons why the output may be wrong.
    """

    graph: Graph
    steps: int
    """The number of steps of the input."""
    output_index: NDArray[np.int64]
    """The indices in [steps, *output shape] of the outputs that are not 0, in their order."""
    output_values: NDArray[np.float64] | None
    """These outputs, in threshold units; None if all of them are spikes."""
    layers: list[LayerSpikes]
    warnings: list[str]
    comparison: TargetComparison | None = None
    classification: Classification | None = None

    def outline(self) -> Outline:
        facts: list[tuple[str, Cell]] = []
        if (comparison := self.comparison) is not None:
            met = f"{comparison.met:,} of {comparison.target_spikes:,} target spikes met"
            facts.append(("target", f"loss {comparison.loss:,.6g}, {met}"))
        if (classes := self.classification) is not None:
            silent = "none: the output is silent"
            facts.append(("class", silent if classes.prediction is None else classes.prediction))
            facts += [] if classes.label is None else [("label", classes.label)]
        rows = [(layer.layer, layer.neurons, layer.spikes) for layer in self.layers]
        title = f"{self.graph.name}: {self.steps:,} steps of {self.graph.step_ms:g} ms"
        headings = ("layer", "neurons", "spikes")
        return Outline(title, [*facts, *first_warnings(self.warnings)], [headings, *rows])

    @property
    def output_TN(self) -> NDArray[Any]:
        """The output [steps, *output shape]: bool, or float64 in threshold units."""
        steps, values = -(-self.steps // self.graph.decimation), self.output_values
        output_TN = np.zeros((steps, *self.graph.output_shape), bool if values is None else float)
        output_TN.reshape(-1)[self.output_index] = True if values is None else values
        return output_TN

    @property
    def spikes_TN(self) -> NDArray[np.bool_]:
        """Whether the output is not 0, bool [steps, *output shape]."""
        return self.output_TN != 0


def layer_spikes(graph: Graph, input_spikes: int, counts: Mapping[str, int]) -> list[LayerSpikes]:
    """Returns the spikes of the input and of each layer of neurons; ``counts`` has theirs."""
    sizes = {layer.name: layer.neurons for layer in graph.neuron_layers}
    layers = [LayerSpikes(name, size, counts[name]) for name, size in sizes.items()]
    return [LayerSpikes("input", math.prod(graph.input_shape), input_spikes), *layers]


def nonzero_outputs(output: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Returns the indices in the flat output of what is not 0, and its values unless they are 1."""
    flat = output.reshape(-1)
    index = np.flatnonzero(flat)
    values = flat[index].astype(np.float64)
    return index, None if (values == 1).all() else values
