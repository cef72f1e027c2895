"""``netdesc show``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.show.graph_table import graph_record, print_graph
from netdesc.runs.state import KILLED, RunState, resume_command

if TYPE_CHECKING:
    from netdesc.cli.show.overview import Decay, NeuronView, Overview


@click.command(
    epilog="\b\nExamples:\n  netdesc show examples/oxford.json --set layers.hidden.units=512\n"
    "  netdesc show runs/first\n  netdesc show runs/oxford.net"
)
@click.argument("source", metavar="FILE.json|RUN|FILE.net", type=click.Path(path_type=Path))
@options.overrides
@options.as_json
@click.pass_obj
def show(output: Output, source: Path, overrides: tuple[str, ...]) -> None:
    """Show a network: its layers, neurons and memory, and what netdesc filled in.

    A decay is the share lost a step; beside it stands its time constant. Memory is the weights as
    training holds them (float), as the device does, and what training takes beside them: gradients,
    the optimizer and the best weights; and activity, for one batch.
    """
    from netdesc.cli.show.overview import overview

    if overrides and (source.is_dir() or source.suffix.lower() == ".net"):
        raise click.UsageError("--set changes documents; a run or a .net file is as it is")
    found = overview(source, overrides)
    for warning in found.warnings:
        output.complain(f"warning: {warning}")
    if output.as_json:
        output.give(_record(found))
    else:
        _print(output, source, found)


def _print(output: Output, source: Path, found: Overview) -> None:
    if found.about:
        output.say(found.about)
    if found.run is not None:
        output.say(f"run: {_status(source, found.run)}")
    print_graph(output, found.graph)
    output.say("")
    output.table(
        ("layer", "neuron", "threshold", "current decay", "voltage decay"),
        [_neuron_row(row.name, neuron) for row, neuron, _ in found.layers if neuron is not None],
    )
    output.say("")
    headings = ("memory", "weights", "on the device", "training", "activity")
    output.table(headings, _memory_rows(found), right=headings[1:])
    batch = "a sample" if found.batch == 1 else f"a batch of {found.batch:,}"
    if found.samples is not None and found.samples > found.batch:
        batch += f" out of {found.samples:,} training samples"
    output.say(
        "\ntraining: gradients, optimizer and best weights; "
        f"activity: of {batch}, forward and backward, with its targets"
    )
    if found.notes:
        output.say("\nfilled in:")
        output.say("\n".join(f"- {note}" for note in found.notes))


def _status(run: Path, state: RunState) -> str:
    """How a run stands, and for one that was killed, how it goes on."""
    if state.status != KILLED:
        return state.message or state.status
    after = state.resumes_after
    where = "from its last checkpoint" if after is None else f"after {after:,} epochs"
    where = "from the start, for it has no later checkpoint" if after == 0 else where
    return f"killed: no process works on it; {resume_command(run)} goes on {where}"


def _neuron_row(layer: str, neuron: NeuronView) -> tuple[str, ...]:
    threshold, on_device = f"{neuron.threshold:g}", f"{neuron.device_threshold:g}"
    return (
        layer,
        neuron.type if neuron.name == layer else neuron.name,
        threshold if threshold == on_device else f"{threshold} (device: {on_device})",
        _decay(neuron.current_decay),
        _decay(neuron.voltage_decay),
    )


def _decay(decay: Decay) -> str:
    ends = range(1 if decay.share[0] == decay.share[1] else 2)
    shares = " to ".join(f"{decay.share[end]:.6g}" for end in ends)
    constants = [decay.time_constant_ms[end] for end in ends]
    times = " to ".join("keeps all" if each is None else f"{each:.3g} ms" for each in constants)
    return f"{shares} ({times}){', learnt' if decay.is_learnt else ''}"


def _memory_rows(found: Overview) -> list[tuple[str, ...]]:
    sizes: list[tuple[float, ...]] = [
        (memory.weights, (memory.device_bits or 0) / 8, memory.training, memory.activity)
        for _, _, memory in found.layers
    ]
    sizes.append(tuple(map(sum, zip(*sizes, strict=True))))
    names = [*(row.name for row, _, _ in found.layers), "all"]
    return [(name, *map(_size, row)) for name, row in zip(names, sizes, strict=True)]


def _size(count: float) -> str:
    """Bytes as people say them, with three digits; nothing for none."""
    unit = min(int(math.log10(count) / 3), 4) if count >= 1 else 0
    return f"{count / 1000**unit:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}" if count else ""


def _record(found: Overview) -> dict[str, Any]:
    layers = [
        {**asdict(row), "neuron": neuron and asdict(neuron), "memory": asdict(memory)}
        for row, neuron, memory in found.layers
    ]
    return {
        "kind": found.kind,
        "description": found.about,
        **graph_record(found.graph),
        "input_shape": found.graph.input_shape,
        "classes": found.graph.classes,
        "samples": found.samples,
        "batch": found.batch,
        "layers": layers,
        "run": found.run and asdict(found.run),
        "notes": found.notes,
        "warnings": found.warnings,
    }
