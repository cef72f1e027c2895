"""``netdesc show``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.show.graph_table import graph_record, print_graph
from netdesc.runs.state import KILLED, RunState, resume_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdesc.cli.show.overview import NeuronView, Overview, ValueView


@click.command(
    epilog="\b\nExamples:\n  netdesc show examples/oxford.json --set layers.hidden.units=512\n"
    "  netdesc show runs/first\n  netdesc show runs/oxford.net"
)
@click.argument("source", metavar="FILE.json|RUN|FILE.net", type=click.Path(path_type=Path))
@options.overrides
@options.json_and_quiet
def show(output: Output, source: Path, overrides: tuple[str, ...]) -> None:
    """Show a network: its layers, neurons and memory, and the defaults that netdesc filled in.

    A decay is the share lost per step, followed by its time constant. The memory table has the
    weights in training (float) and on the device; what training needs in addition, which is
    gradients, optimizer and best weights; and the activity of one batch. Of a .net file, also that
    of a run, the column netx says whether lava-dl's netx loads and runs the same layers. Defaults
    that switch something off are left out; netdesc explain FIELD describes a field.
    """
    from netdesc.cli.show.overview import read_overview
    from netdesc.description.detect import is_net_file

    if overrides and (source.is_dir() or is_net_file(source)):
        raise click.UsageError("--set changes documents, not a run or a .net file")
    overview = read_overview(source, overrides)
    output.warn(*overview.warnings)
    if output.as_json:
        output.print_json(_record(overview))
    else:
        _print(output, source, overview)


def _print(output: Output, source: Path, overview: Overview) -> None:
    if overview.description:
        first, *more = overview.description.split("\n")
        output.print(first, *(f"  {line}" for line in more))
    if overview.run is not None:
        output.print(f"run: {_format_status(source, overview.run)}")
    netx = overview.netx
    print_graph(output, overview.graph, netx and netx.effects)
    if netx is not None and netx.warnings:
        about = "differs: it runs another layer; fails: it does not load the file"
        output.print("", f"netx, lava-dl's loader of .net files ({about}):")
        output.print(*(f"- {warning}" for warning in netx.warnings))
    output.print("")
    neurons = {row.name: neuron for row, neuron, _ in overview.layers if neuron is not None}
    names = list(dict.fromkeys(name for each in neurons.values() for name in each.values))
    output.print_table(
        ("layer", "neuron", *(name.replace("_", " ") for name in names)),
        [_neuron_row(layer, neuron, names) for layer, neuron in neurons.items()],
    )
    output.print("")
    headings = ("memory", "weights", "on the device", "training", "activity")
    output.print_table(headings, _memory_rows(overview), right=headings[1:])
    batch = "a sample" if overview.batch == 1 else f"a batch of {overview.batch:,}"
    if overview.samples is not None and overview.samples > overview.batch:
        batch += f" out of {overview.samples:,} training samples"
    output.print(
        "",
        "training: gradients, optimizer and best weights; "
        f"activity: forward and backward pass of {batch}, including targets",
    )
    if overview.notes:
        output.print("", "filled in:", *(f"- {note}" for note in overview.notes))


def _format_status(run: Path, state: RunState) -> str:
    """Describes the status of a run, and how to resume it if it was killed."""
    if state.status != KILLED:
        return state.message or state.status
    epochs = state.resumes_after
    where = "from its last checkpoint" if epochs is None else f"after {epochs:,} epochs"
    where = "from the start, as it has no later checkpoint" if epochs == 0 else where
    return f"killed: no process works on it; {resume_command(run)} continues {where}"


def _neuron_row(layer: str, neuron: NeuronView, names: Sequence[str]) -> tuple[str, ...]:
    kind = neuron.type if neuron.name == layer else neuron.name
    cells = (neuron.values.get(name) for name in names)
    return (layer, kind, *("" if each is None else _format_value(each) for each in cells))


def _format_value(view: ValueView) -> str:
    ends = range(1 if view.value[0] == view.value[1] else 2)
    text = " to ".join(f"{view.value[end]:.6g}" for end in ends)
    if view.device is not None:
        on_device = " to ".join(f"{view.device[end]:g}" for end in ends)
        text += "" if on_device == text else f" (device: {on_device})"
    if view.time_constant_ms is not None:
        constants = [view.time_constant_ms[end] for end in ends]
        times = " to ".join("no decay" if each is None else f"{each:.3g} ms" for each in constants)
        text += f" ({times})"
    return text + (", learnt" if view.is_learnt else "")


def _memory_rows(overview: Overview) -> list[tuple[str, ...]]:
    from netdesc.graph.memory import format_bytes

    sizes: list[tuple[float, ...]] = [
        (memory.weights, (memory.device_bits or 0) / 8, memory.training, memory.activity)
        for _, _, memory in overview.layers
    ]
    sizes.append(tuple(map(sum, zip(*sizes, strict=True))))
    names = [*(row.name for row, _, _ in overview.layers), "all"]
    return [(name, *map(format_bytes, row)) for name, row in zip(names, sizes, strict=True)]


def _record(overview: Overview) -> dict[str, Any]:
    layers = [
        {**asdict(row), "neuron": neuron and asdict(neuron), "memory": asdict(memory)}
        for row, neuron, memory in overview.layers
    ]
    return {
        "kind": overview.kind,
        "description": overview.description,
        **graph_record(overview.graph),
        "input_shape": overview.graph.input_shape,
        "classes": overview.graph.classes,
        "samples": overview.samples,
        "batch": overview.batch,
        "layers": layers,
        "run": overview.run and asdict(overview.run),
        "netx": overview.netx and overview.netx._asdict(),
        "notes": overview.notes,
        "warnings": overview.warnings,
    }
