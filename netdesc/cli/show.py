"""``netdesc show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import findings, options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph

HEADINGS = ("layer", "type", "from", "input", "output", "neuron", "parameters", "synapses")


@click.command(epilog="Example: netdesc show examples/oxford.json")
@options.document
@options.overrides
@options.as_json
@click.pass_obj
def show(output: Output, file: Path, overrides: tuple[str, ...]) -> None:
    """Show the layers of the network in FILE.json with their shapes and sizes."""
    from netdesc.graph import build_graph

    graph = build_graph(findings.load_document(output, file, overrides).document)
    if output.as_json:
        output.give(graph_record(graph))
    else:
        print_graph(output, graph)


def print_graph(output: Output, graph: Graph) -> None:
    """The layer table, with the sums under it."""
    from netdesc.graph import summary

    def shape(sizes: tuple[int, ...]) -> str:
        return "×".join(map(str, sizes))

    rows = [
        (
            row.name,
            row.type,
            ", ".join(row.inputs),
            shape(row.input_shape),
            shape(row.output_shape),
            row.neuron,
            row.parameters,
            row.synapses,
        )
        for row in summary(graph)
    ]
    output.table(HEADINGS, rows)
    output.say(
        f"{graph.name}: {graph.steps:,} steps of {graph.step_ms:g} ms, "
        f"{graph.parameters:,} parameters, {graph.synapses:,} synapses"
    )


def graph_record(graph: Graph) -> dict[str, Any]:
    from dataclasses import asdict

    from netdesc.graph import summary

    return {
        "name": graph.name,
        "steps": graph.steps,
        "step_ms": graph.step_ms,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
        "layers": [asdict(row) for row in summary(graph)],
    }
