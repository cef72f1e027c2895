"""``netdesc show``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.run_state import KILLED, RunState, resume_command

if TYPE_CHECKING:
    from netdesc.graph import Graph
    from netdesc.overview import Decay, LayerView, NeuronView, Overview

HEADINGS = ("layer", "type", "from", "input", "output", "neuron", "parameters", "synapses")


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
    from netdesc.overview import overview

    if overrides and (source.is_dir() or source.suffix.lower() == ".net"):
        raise click.UsageError("--set changes documents; a run or a .net file is as it is")
    seen = overview(source, overrides)
    for warning in seen.warnings:
        output.complain(f"warning: {warning}")
    if output.as_json:
        output.give(_record(seen))
    else:
        _print(output, source, seen)


def print_graph(output: Output, graph: Graph) -> None:
    """The layer table, with the sums under it."""
    from netdesc.graph import summary

    rows = [
        (
            row.name,
            row.type,
            ", ".join(row.inputs),
            _shape(row.input_shape),
            _shape(row.output_shape),
            row.neuron,
            row.parameters,
            row.synapses,
        )
        for row in summary(graph)
    ]
    output.table(HEADINGS, rows)
    output.say(_totals(graph))


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


def _print(output: Output, source: Path, seen: Overview) -> None:
    graph = seen.graph
    output.say(_totals(graph))
    if seen.about:
        output.say(seen.about)
    if seen.run is not None:
        output.say(f"run: {_standing(source, seen.run)}")
    output.say("")
    last = ("all", "", "", "", "", graph.parameters, graph.synapses)
    output.table(
        ("layer", "type", "reads", "input", "output", "parameters", "synapses"),
        [*map(_layer_row, seen.layers), last],
    )
    output.say("")
    output.table(
        ("layer", "neuron", "threshold", "current decay", "voltage decay"),
        [_neuron_row(layer) for layer in seen.layers if layer.neuron],
    )
    output.say("")
    headings = ("memory", "weights", "on the device", "training", "activity")
    output.table(headings, _memory_rows(seen), right=headings[1:])
    output.say("")
    output.say(_training(seen))
    if seen.notes:
        output.say("\nfilled in:")
        output.say("\n".join(f"- {note}" for note in seen.notes))


def _standing(run: Path, state: RunState) -> str:
    """How a run stands, and for one that was killed, how it goes on."""
    if state.status != KILLED:
        return state.message or state.status
    after = state.resumes_after
    where = "from its last checkpoint" if after is None else f"after {after:,} epochs"
    where = "from the start, for it has no later checkpoint" if after == 0 else where
    return f"killed: no process works on it; {resume_command(run)} goes on {where}"


def _totals(graph: Graph) -> str:
    return (
        f"{graph.name}: {graph.steps:,} steps of {graph.step_ms:g} ms, "
        f"{graph.parameters:,} parameters, {graph.synapses:,} synapses"
    )


def _training(seen: Overview) -> str:
    training = "training: gradients, optimizer and best weights"
    batch = "a sample" if seen.batch == 1 else f"a batch of {seen.batch:,}"
    if seen.samples is not None and seen.samples > seen.batch:
        batch += f" out of {seen.samples:,} training samples"
    return f"{training}; activity: of {batch}, forward and backward, with its targets"


def _layer_row(layer: LayerView) -> tuple[object, ...]:
    return (
        layer.name,
        layer.type,
        " + ".join(layer.inputs),
        _shape(layer.input_shape) if layer.inputs else "",
        _shape(layer.output_shape),
        layer.parameters,
        layer.synapses,
    )


def _neuron_row(layer: LayerView) -> tuple[str, ...]:
    neuron = layer.neuron
    assert neuron is not None
    return (
        layer.name,
        neuron.type if neuron.name == layer.name else neuron.name,
        _threshold(neuron),
        _decay(neuron.current_decay),
        _decay(neuron.voltage_decay),
    )


def _threshold(neuron: NeuronView) -> str:
    """As given, and as the device has it where that differs."""
    given, device = f"{neuron.threshold:g}", f"{neuron.device_threshold:g}"
    return given if given == device else f"{given} (device: {device})"


def _decay(decay: Decay) -> str:
    ends = range(1 if decay.share[0] == decay.share[1] else 2)
    shares = " to ".join(f"{decay.share[end]:.6g}" for end in ends)
    times = " to ".join(_time(decay.time_constant_ms[end]) for end in ends)
    return f"{shares} ({times}){', learnt' if decay.is_learnt else ''}"


def _time(constant_ms: float | None) -> str:
    return "keeps all" if constant_ms is None else f"{constant_ms:.3g} ms"


def _memory_rows(seen: Overview) -> list[tuple[str, ...]]:
    sizes: list[tuple[float, ...]] = [
        (memory.weights, (memory.device_bits or 0) / 8, memory.training, memory.activity)
        for memory in (layer.memory for layer in seen.layers)
    ]
    sizes.append(tuple(map(sum, zip(*sizes, strict=True))))
    names = [*(layer.name for layer in seen.layers), "all"]
    return [
        (name, *(_size(each) if each else "" for each in row))
        for name, row in zip(names, sizes, strict=True)
    ]


def _size(count: float) -> str:
    """Bytes as people say them, with three digits."""
    unit = min(int(math.log10(count) / 3), 4) if count >= 1 else 0
    return f"{count / 1000**unit:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}"


def _shape(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def _record(seen: Overview) -> dict[str, Any]:
    graph = seen.graph
    return {
        "kind": seen.kind,
        "name": graph.name,
        "description": seen.about,
        "steps": graph.steps,
        "step_ms": graph.step_ms,
        "input_shape": graph.input_shape,
        "classes": graph.classes,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
        "samples": seen.samples,
        "batch": seen.batch,
        "layers": [asdict(layer) for layer in seen.layers],
        "run": seen.run and asdict(seen.run),
        "notes": seen.notes,
        "warnings": seen.warnings,
    }
