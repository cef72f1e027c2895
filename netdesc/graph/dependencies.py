"""Which layers the output of a graph depends on."""

from __future__ import annotations

from netdesc.graph.nodes import Graph


def needed_for_output(graph: Graph) -> set[str]:
    """The names of all layers that the output depends on, with its own; ``INPUT`` where it does."""
    needed = {graph.layers[-1].name}
    for layer in reversed(graph.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return needed
