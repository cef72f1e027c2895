"""Prints the layers of a network as a table, and returns them for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph

HEADINGS = ("layer", "type", "from", "input", "output", "neuron", "parameters", "synapses")


def print_graph(output: Output, graph: Graph) -> None:
    """Prints a line about the network, then a table of its layers with totals."""
    from netdesc.graph import summary

    output.print(
        f"{graph.name}: {graph.steps:,} steps of {graph.step_ms:g} ms, "
        f"{graph.parameters:,} parameters, {graph.synapses:,} synapses"
    )
    rows = [
        (
            row.name,
            row.type,
            " + ".join(row.inputs),
            "×".join(map(str, row.input_shape)),
            "×".join(map(str, row.output_shape)),
            row.neuron,
            row.parameters,
            row.synapses,
        )
        for row in summary(graph)
    ]
    output.print_table(HEADINGS, [*rows, ("all", *[""] * 5, graph.parameters, graph.synapses)])


def graph_record(graph: Graph) -> dict[str, Any]:
    from netdesc.graph import summary

    return {
        "name": graph.name,
        "steps": graph.steps,
        "step_ms": graph.step_ms,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
        "layers": [asdict(row) for row in summary(graph)],
    }
