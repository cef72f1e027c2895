"""Finds the layers on which the output of a graph depends."""

from __future__ import annotations

from netdesc.graph.nodes import Graph


def needed_for_output(graph: Graph) -> set[str]:
    """Returns the names of the output layer and of all layers on which it depends.

    ``INPUT`` is one of the names if the output depends on the network's input.
    """
    needed = {graph.layers[-1].name}
    for layer in reversed(graph.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return needed
