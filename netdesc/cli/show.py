"""``netdesc show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.graph import Graph

HEADINGS = ("layer", "type", "input", "output", "parameters", "synapses")


@click.command(epilog="Example: netdesc show examples/oxford.json")
@options.document
@options.overrides
@options.as_json
@click.pass_obj
def show(output: Output, file: Path, overrides: tuple[str, ...]) -> None:
    """Show the layers of the network in FILE.json with their shapes and sizes."""
    from netdesc.description import load
    from netdesc.graph import build_graph

    graph = build_graph(load(file, overrides).document)
    print_graph(output, graph)
    if output.as_json:
        output.give(graph_record(graph))


def print_graph(output: Output, graph: Graph) -> None:
    """The layer table, with the sums under it."""
    output.table(HEADINGS, [tuple(row.values()) for row in layer_records(graph)])
    output.say(
        f"{graph.name}: {graph.steps} steps of {graph.step_ms:g} ms, "
        f"{graph.parameters:,} parameters, {graph.synapses:,} synapses"
    )


def layer_records(graph: Graph) -> list[dict[str, Any]]:
    return [
        {
            "layer": layer.name,
            "type": type(layer).__name__.lower(),
            "input": "×".join(map(str, layer.input_shape)),
            "output": "×".join(map(str, layer.output_shape)),
            "parameters": layer.parameters,
            "synapses": layer.synapses,
        }
        for layer in graph.layers
    ]


def graph_record(graph: Graph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "steps": graph.steps,
        "step_ms": graph.step_ms,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
        "layers": [
            {
                **record,
                "input": list(layer.input_shape),
                "output": list(layer.output_shape),
                "from": list(layer.inputs),
            }
            for record, layer in zip(layer_records(graph), graph.layers, strict=True)
        ],
    }
