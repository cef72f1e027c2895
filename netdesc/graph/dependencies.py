"""Finds the layers on which the outputs of a graph depend."""

from __future__ import annotations

from netdesc.graph.nodes import Graph


def needed_for_output(graph: Graph) -> set[str]:
    """Returns the names of all layers that losses read, and of those on which they depend.

    ``INPUT`` is one of the names if an output depends on the network's input.
    """
    needed = {name for name, _ in graph.signals}
    for layer in reversed(graph.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return needed
