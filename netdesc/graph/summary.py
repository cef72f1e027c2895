"""The table of a graph's layers, which ``netdesc show`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.shapes import INPUT, Shape
from netdesc.graph.nodes import Graph


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A row of the table: a layer, or the input."""

    name: str
    type: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    neuron: str
    parameters: int
    synapses: int


def summary(graph: Graph) -> list[SummaryRow]:
    """Returns a row for the input, and then a row for each layer. ``Graph`` has the totals."""
    shape = graph.input_shape
    return [
        SummaryRow(INPUT, "input", (), shape, shape, "", 0, 0),
        *(
            SummaryRow(
                name=layer.name,
                type=layer.section.type_name(),
                inputs=layer.inputs,
                input_shape=layer.input_shape,
                output_shape=layer.output_shape,
                neuron=layer.neuron_name,
                parameters=layer.parameters,
                synapses=layer.synapses,
            )
            for layer in graph.layers
        ),
    ]
