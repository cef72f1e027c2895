"""Prints the layers of a network as a table, and returns them for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph

HEADINGS = ("layer", "type", "from", "input", "output", "neuron", "parameters", "synapses", "netx")


def print_graph(output: Output, graph: Graph, netx: Mapping[str, str] | None = None) -> None:
    """Prints a line about the network, then a table of its layers with totals.

    ``netx`` maps layers to what netx makes of them, which then has a column.
    """
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
            (netx or {}).get(row.name, ""),
        )
        for row in summary(graph)
    ]
    total = ("all", *[""] * 5, graph.parameters, graph.synapses, "")
    headings = HEADINGS if netx else HEADINGS[:-1]
    output.print_table(headings, [row[: len(headings)] for row in (*rows, total)])


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
