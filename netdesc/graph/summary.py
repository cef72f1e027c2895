"""A graph as the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.graph.nodes import INPUT, Graph, Shape


@dataclass(frozen=True, slots=True)
class Row:
    """A layer, or the input, in a few words and numbers."""

    name: str
    type: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    neuron: str
    parameters: int
    synapses: int


def summary(graph: Graph) -> list[Row]:
    """One row for the input, then one a layer; totals are properties of the graph."""
    shape = graph.input_shape
    return [
        Row(INPUT, "input", (), shape, shape, "", 0, 0),
        *(
            Row(
                name=layer.name,
                type=layer.section.type,
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
