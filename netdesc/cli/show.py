"""``netdesc show``, and the table of layers that other commands print, too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from netdesc.cli import options
from netdesc.cli.device import print_report, read_report
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.data.data_context import TrainingSet
    from netdesc.description import Description, Document
    from netdesc.graph import Graph, SynapticNode
    from netdesc.graph.device_report import Target
    from netdesc.graph.memory import MemoryEstimate
    from netdesc.runs.state import RunState

Range = tuple[float, float]
"""The lowest and the highest value of a layer's neurons, which may be equal."""


@dataclass
class Overview:
    """The network that is shown. ``learnt`` maps (layer, value of its neurons) to its range.

    ``samples`` is the number of training samples, None if it is not known. ``effects`` says what
    netx, lava-dl's loader of ``.net`` files, makes of each layer; empty without such a file.
    """

    kind: str
    document: Document
    graph: Graph
    samples: int | None = None
    run: RunState | None = None
    notes: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    learnt: Mapping[tuple[str, str], Range] = field(default_factory=dict[tuple[str, str], Range])
    effects: dict[str, str] = field(default_factory=dict[str, str])
    netx_warnings: list[str] = field(default_factory=list[str])


@click.command(
    epilog="\b\nExamples:\n  netdesc show examples/oxford.json --set layers.hidden.units=512\n"
    "  netdesc show runs/first --target loihi2\n  netdesc show runs/oxford.net"
)
@click.argument("source", metavar="FILE.json|RUN|FILE.net|FILE.nir", type=options.PATH)
@options.overrides
@click.option(
    "--target",
    type=click.Choice(["loihi2", "microcontroller"]),
    help="Show what the network needs on this device.",
)
@click.option("--flash", type=click.IntRange(min=1), metavar="KB", help="Its flash, in KB.")
@click.option("--ram", type=click.IntRange(min=1), metavar="KB", help="Its RAM, in KB.")
@options.json_and_quiet
def show(
    output: Output,
    source: Path,
    overrides: tuple[str, ...],
    target: Target | None,
    flash: int | None,
    ram: int | None,
) -> None:
    """Show a network: its layers, neurons and memory, and what netdesc infers.

    A decay is the share lost per step, followed by its time constant. The memory table has the
    weights in training (float) and on the device; what training needs in addition, which is
    gradients, optimizer and best weights; and the activity of one batch. Of a .net file, also that
    of a run, the column netx says whether lava-dl's netx loads and runs the same layers.

    With --target, show what the network needs on that device, and what does not fit. A run has
    counted its synaptic operations with its best weights.
    """
    from netdesc.description.source import is_network_file
    from netdesc.graph.memory import estimate_memory

    is_file = is_network_file(source)
    if overrides and (source.is_dir() or is_file):
        raise click.UsageError("--set changes documents, not a run or a network file")
    if target != "microcontroller" and (flash, ram) != (None, None):
        raise click.UsageError("--flash and --ram need --target microcontroller")
    overview = _read_network(source) if is_file else _read_document(source, overrides)
    memory = estimate_memory(overview.graph, overview.document.training, overview.samples)
    output.warn(*overview.warnings)
    sizes = {"flash": flash, "RAM": ram}
    report = target and read_report(overview.graph, source, overrides, target, sizes)
    if output.as_json:
        needs = {} if report is None else {"target": report.record()}
        output.print_json(_record(overview, memory) | needs)
    elif report is not None:
        print_report(output, report)
    else:
        _print(output, source, overview, memory)


# Reading


def _read_network(path: Path) -> Overview:
    from netdesc.exchange.formats import format_to_read, read_network
    from netdesc.graph import build_graph

    suffix, format = format_to_read(path)
    imported = read_network(path)
    graph = build_graph(imported.document)
    overview = Overview(suffix[1:], imported.document, graph, warnings=imported.warnings)
    unknown = f"a {suffix} file does not describe data, loss and training"
    overview.notes = [*imported.assumptions, unknown]
    overview.learnt = {
        (layer.name, name): (float(values.min()), float(values.max()))
        for layer in graph.neuron_layers
        for name in (*layer.neuron_values, "bias")
        if (values := imported.weights.get(f"layers.{layer.name}.neuron.{name}")) is not None
    }
    if format.shows_netx:
        _add_netx(overview, path)
    return overview


def _read_document(path: Path, overrides: Sequence[str]) -> Overview:
    """Reads a document or a run, without torch and without the data files."""
    from netdesc.data.data_checks import read_training_set
    from netdesc.description import load
    from netdesc.graph import build_graph
    from netdesc.runs.folder import BEST, CHECKPOINTS, NETWORK, is_filled, lock_of
    from netdesc.runs.state import read_state

    is_run = path.is_dir()
    description = load(lock_of(path) if is_run else path, overrides)
    document = description.document
    training_set = read_training_set(description)
    overview = Overview("run" if is_run else "document", document, build_graph(document))
    overview.samples = document.training.without_held_out(training_set.samples)
    overview.notes = list(_describe_inferred(overview, training_set))
    overview.warnings = [warning.message for warning in description.warnings]
    if is_run:
        overview.run = read_state(path)
        if is_filled(path / NETWORK):
            _add_netx(overview, path / NETWORK)
    _add_learnt_values(overview, description, path / CHECKPOINTS / BEST)
    return overview


def _add_learnt_values(overview: Overview, description: Description, best: Path) -> None:
    """Adds the learnt values of a run's best weights, or of the weights that a document names."""
    learning = [layer for layer in overview.graph.neuron_layers if layer.learnt_shapes]
    weights = overview.document.weights
    if not best.exists() and weights is not None and weights.path.endswith(".safetensors"):
        best = description.resolve(weights.path)
    if not learning or not best.exists():
        return
    from netdesc.report.weights import open_weights
    from netdesc.runs.errors import RunError

    try:
        with open_weights(best) as saved:
            overview.learnt = {
                (layer.name, name): (float(values.min()), float(values.max()))
                for layer in learning
                for name, values in (saved.learnt(layer) if saved else {}).items()
            }
    except RunError as error:
        overview.warnings.append(str(error))


def _describe_inferred(overview: Overview, training_set: TrainingSet) -> Iterator[str]:
    document, graph, training = overview.document, overview.graph, overview.document.training
    if graph.classifier is not None:
        winner = f"the class with the largest {graph.classifier.measure}"
        yield f"{graph.classes:,} classes, one per output neuron; the prediction is {winner}"
    if document.data is None:
        yield "no data: the network can be run and exported, but not trained"
        return
    optimizer, samples = training.optimizer, overview.samples
    if "learning_rate" not in optimizer.model_fields_set:
        rate = optimizer.learning_rate
        text = "a learning rate that training finds" if rate is None else f"learning rate {rate:g}"
        yield f"{optimizer.type} with {text} (training.optimizer)"
    neurons = {layer.neuron_name: layer.neuron for layer in graph.neuron_layers}
    for neuron_name, neuron in neurons.items():
        surrogate = neuron.surrogate
        if surrogate is None or "surrogate" in neuron.model_fields_set:
            continue
        sizes = {"width": surrogate.width, "peak": surrogate.peak}
        numbers = [f"{name} {size:g}" for name, size in sizes.items() if isinstance(size, float)]
        size = " and ".join(numbers) or "width and peak by each threshold"
        yield f"{neuron_name}: the surrogate gradient {surrogate.shape}, {size} (surrogate)"
    if training.batch_size is None and samples != 1:
        count = "all" if samples is None else f"all {samples:,}"
        yield f"{count} training samples make one batch (training.batch_size)"
    is_known = training_set.samples is not None
    if is_known and not training_set.has_validation and not training.validation_split:
        best = training.best or document.epoch_metrics(has_validation=False)[0]
        way = "lowest" if best == "loss" else "highest"
        yield f"no validation: the best weights are those with the {way} training {best}"


def _add_netx(overview: Overview, path: Path) -> None:
    """Adds what netx makes of the layers of a ``.net`` file; a warning if it cannot be read."""
    from netdesc.exchange import NetFileError, read_net
    from netdesc.exchange.export import is_part_of_next
    from netdesc.exchange.netx import Effect, netx_problems, netx_warnings

    try:
        net, _, notes = read_net(path)
    except NetFileError as error:
        overview.warnings.append(str(error))
        return
    layers = overview.graph.layers
    names = [layer.name for layer in layers if not is_part_of_next(layer)]
    overview.effects = dict.fromkeys([layer.name for layer in layers], "loads")
    problems = netx_problems(net, [note.netx for note in notes])
    for problem in sorted(problems, key=lambda problem: get_args(Effect).index(problem.effect)):
        overview.effects[names[problem.layer - len(net.layers)]] = problem.effect
    overview.netx_warnings = netx_warnings(net, problems, names)


def _neuron_values(overview: Overview, layer: SynapticNode) -> dict[str, dict[str, Any]]:
    """Returns, by name, the values of a layer's neurons: learnt ones, and else the document's."""
    from netdesc.kernels.fixed_point import WEIGHT_UNIT, threshold_mantissa
    from netdesc.sections import both

    kinds = layer.neuron.value_kinds()
    values: dict[str, dict[str, Any]] = {}
    for name, value in layer.neuron_values.items():
        ends = overview.learnt.get((layer.name, name), both(value))
        device = constants = None
        if kinds[name] == "threshold":
            device = [threshold_mantissa(end) / WEIGHT_UNIT for end in ends]
        if kinds[name] == "decay":
            constants = [time_constant_ms(end, layer.step_ms) for end in ends]
        values[name] = {
            "kind": kinds[name],
            "value": ends,
            "device": device,
            "time_constant_ms": constants,
            "is_learnt": name in layer.neuron.learn,
        }
    if layer.section.learns_bias:
        first = layer.section.bias_init
        ends = overview.learnt.get((layer.name, "bias"), (first, first))
        values["bias"] = {"kind": "grid", "value": ends, "is_learnt": True}
    return values


def time_constant_ms(share: float, step_ms: float) -> float | None:
    """Returns the time in ms after which 1/e is left if ``share`` is lost per step.

    This is -step / ln(1 - share); None if nothing is lost, 0 if all is lost.
    """
    if share <= 0:
        return None
    return 0.0 if share >= 1 else -step_ms / math.log1p(-share)


# Printing


def _print(output: Output, source: Path, overview: Overview, memory: MemoryEstimate) -> None:
    from netdesc.graph.memory import format_bytes

    if overview.document.description:
        first, *more = overview.document.description.split("\n")
        output.print(first, *(f"  {line}" for line in more))
    if overview.run is not None:
        output.print(f"run: {_format_status(source, overview.run)}")
    print_graph(output, overview.graph, overview.effects)
    if overview.netx_warnings:
        about = "differs: it runs another layer; fails: it does not load the file"
        output.print("", f"netx, lava-dl's loader of .net files ({about}):")
        output.print(*(f"- {warning}" for warning in overview.netx_warnings))
    values = [(layer, _neuron_values(overview, layer)) for layer in overview.graph.neuron_layers]
    names = list(dict.fromkeys(name for _, by_name in values for name in by_name))
    rows: list[tuple[str, ...]] = []
    for layer, by_name in values:
        own = layer.neuron.type_name() if layer.neuron_name == layer.name else layer.neuron_name
        rows.append((layer.name, own, *(_format_value(by_name.get(name)) for name in names)))
    output.print("")
    output.print_table(("layer", "neuron", *(name.replace("_", " ") for name in names)), rows)
    sizes: dict[str, tuple[float, ...]] = {
        name: (layer.weights, (layer.device_bits or 0) / 8, layer.training, layer.activity)
        for name, layer in memory.layers.items()
    }
    sizes["all"] = tuple(map(sum, zip(*sizes.values(), strict=True)))
    headings = ("memory", "weights", "on the device", "training", "activity")
    rows = [(name, *map(format_bytes, row)) for name, row in sizes.items()]
    output.print("")
    output.print_table(headings, rows, right=headings[1:])
    batch = "a sample" if memory.batch == 1 else f"a batch of {memory.batch:,}"
    if overview.samples is not None and overview.samples > memory.batch:
        batch += f" out of {overview.samples:,} training samples"
    output.print(
        "",
        "training: gradients, optimizer and best weights; "
        f"activity: forward and backward pass of {batch}, including targets",
    )
    if overview.notes:
        output.print("", "inferred:", *(f"- {note}" for note in overview.notes))


def _format_status(run: Path, state: RunState) -> str:
    from netdesc.runs.state import KILLED, resume_command

    if state.status != KILLED:
        return state.message or state.status
    begin = "from its last checkpoint"
    if state.checkpoint is not None:
        begin = f"after {state.checkpoint}"
        if state.checkpoint.is_start:
            begin = "from the start, as it has no later checkpoint"
    return f"killed: no process works on it; {resume_command(run)} continues {begin}"


def _format_value(value: dict[str, Any] | None) -> str:
    if value is None:
        return ""
    count = 1 if value["value"][0] == value["value"][1] else 2
    text = " to ".join(f"{end:.6g}" for end in value["value"][:count])
    if device := value.get("device"):
        on_device = " to ".join(f"{end:g}" for end in device[:count])
        text += "" if on_device == text else f" (device: {on_device})"
    if constants := value.get("time_constant_ms"):
        times = ("no decay" if end is None else f"{end:.3g} ms" for end in constants[:count])
        text += f" ({' to '.join(times)})"
    return text + (", learnt" if value["is_learnt"] else "")


def print_graph(output: Output, graph: Graph, netx: Mapping[str, str] | None = None) -> None:
    """Prints a line about the network, then a table of its layers with totals.

    ``netx`` maps layers to what netx makes of them, which then has a column.
    """
    from netdesc.graph import summary

    output.print(
        f"{graph.name}: {graph.steps:,} steps of {graph.step_ms:g} ms, "
        f"{graph.parameters:,} parameters, {graph.synapses:,} synapses"
    )
    rows: list[tuple[str | int, ...]] = []
    for row in summary(graph):
        shapes = ("×".join(map(str, shape)) for shape in (row.input_shape, row.output_shape))
        counts = row.parameters, row.synapses, (netx or {}).get(row.name, "")
        rows.append((row.name, row.type, " + ".join(row.inputs), *shapes, row.neuron, *counts))
    rows.append(("all", "", "", "", "", "", graph.parameters, graph.synapses, ""))
    headings = (
        "layer", "type", "from", "input", "output", "neuron", "parameters", "synapses", "netx",
    )[: None if netx else -1]  # fmt: skip
    output.print_table(headings, [row[: len(headings)] for row in rows])


def graph_record(graph: Graph) -> dict[str, Any]:
    """Returns what ``print_graph`` prints, for JSON."""
    from netdesc.graph import summary

    fields = ("name", "steps", "step_ms", "parameters", "synapses")
    record = {name: getattr(graph, name) for name in fields}
    return record | {"layers": [row._asdict() for row in summary(graph)]}


def _record(overview: Overview, memory: MemoryEstimate) -> dict[str, Any]:
    graph = overview.graph
    neurons = {
        layer.name: {"name": layer.neuron_name, "type": layer.neuron.type_name()}
        | {"values": _neuron_values(overview, layer)}
        for layer in graph.neuron_layers
    }
    record = graph_record(graph)
    layers = [
        {**row, "neuron": neurons.get(row["name"]), "memory": asdict(memory.layers[row["name"]])}
        for row in record["layers"]
    ]
    netx = {"effects": overview.effects, "warnings": overview.netx_warnings}
    return {
        "kind": overview.kind,
        "description": overview.document.description,
        **record,
        "input_shape": graph.input_shape,
        "classes": graph.classes,
        "samples": overview.samples,
        "batch": memory.batch,
        "layers": layers,
        "run": overview.run and asdict(overview.run),
        "netx": netx if overview.effects else None,
        "notes": overview.notes,
        "warnings": overview.warnings,
    }
