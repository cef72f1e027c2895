"""Collects the data of ``netdesc show`` about a document, a run or a ``.net`` file.

Documents and runs are read without torch and without their data files, so that the command works on
machines without these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, get_args

from netdesc.cli.show.defaults import describe_inferred, list_defaults
from netdesc.description import Description, Document, load
from netdesc.description.detect import is_net_file
from netdesc.description.files.training_set import read_training_set
from netdesc.graph import Graph, SynapticNode, build_graph, summary, value_range
from netdesc.graph.memory import LayerMemory, estimate_memory
from netdesc.graph.summary import SummaryRow
from netdesc.kernels.fixed_point import WEIGHT_UNIT, threshold_mantissa
from netdesc.runs.folder import BEST, CHECKPOINTS, NETWORK, is_filled, lock_of
from netdesc.runs.state import RunState, read_state

Range = tuple[float, float]
"""The lowest and the highest value of a layer's neurons, which may be equal."""


@dataclass(frozen=True, slots=True)
class ValueView:
    """A value of neurons. It comes from the document, or, if it is learnt, from the weights.

    ``device`` is a threshold as the device holds it, None for other kinds. ``time_constant_ms`` is
    that of a decay, which is the share lost per step: 0 if all is lost, None if nothing is.
    """

    kind: str
    value: Range
    device: Range | None
    time_constant_ms: tuple[float | None, float | None] | None
    is_learnt: bool


@dataclass(frozen=True, slots=True)
class NeuronView:
    """The neurons of a layer. ``values`` are by name."""

    name: str
    type: str
    values: dict[str, ValueView]


class LayerView(NamedTuple):
    """A layer or the input. ``neuron`` is None for the input and for layers without neurons."""

    row: SummaryRow
    neuron: NeuronView | None
    memory: LayerMemory


class NetxView(NamedTuple):
    """What netx, lava-dl's loader of ``.net`` files, makes of a network."""

    effects: dict[str, str]
    """Name of a layer -> ``loads``, one of ``Effect``."""
    warnings: list[str]


@dataclass(frozen=True)
class Overview:
    """The data that ``netdesc show`` prints.

    The first of ``layers`` is the input, with the memory of a batch of data. ``samples`` is the
    number of training samples, None if it is not known. ``batch`` is the number of samples in a
    training batch, or 1 if this number is not known. ``netx`` is None without a ``.net`` file.
    """

    kind: str
    description: str
    graph: Graph
    layers: list[LayerView]
    samples: int | None
    batch: int
    run: RunState | None
    notes: list[str]
    warnings: list[str]
    netx: NetxView | None = None


LearntValues = Mapping[tuple[str, str], Range]
"""Maps (layer, name of a learnt value) to the value."""


def read_overview(path: Path, overrides: Sequence[str] = ()) -> Overview:
    """Reads the overview of a document, of the folder of a run, or of a ``.net`` file.

    DescriptionError, NetFileError or RunError if ``path`` cannot be read.
    """
    if path.is_dir():
        description = load(lock_of(path))
        best = path / CHECKPOINTS / BEST
        overview = _from_description("run", description, read_state(path), best)
        return _add_netx(overview, path / NETWORK) if is_filled(path / NETWORK) else overview
    if not is_net_file(path):
        return _from_description("document", load(path, overrides), None)
    from netdesc.exchange import import_net

    imported = import_net(path)
    document = imported.document
    notes = [*imported.assumptions, "a .net file does not describe data, loss and training"]
    learnt = {
        (layer.name, name): (float(values.min()), float(values.max()))
        for layer in build_graph(document).neuron_layers
        for name in layer.neuron_values | {"bias": 0}
        if (values := imported.weights.get(f"layers.{layer.name}.neuron.{name}")) is not None
    }
    overview = _build_overview("net", document, None, None, notes, imported.warnings, learnt)
    return _add_netx(overview, path)


def _add_netx(overview: Overview, path: Path) -> Overview:
    """Adds what netx makes of the layers of a ``.net`` file; a warning if it cannot be read."""
    from netdesc.exchange import NetFileError, read_net
    from netdesc.exchange.export import is_part_of_next
    from netdesc.exchange.netx import Effect, netx_problems, netx_warnings

    try:
        net, _, notes = read_net(path)
    except NetFileError as error:
        return replace(overview, warnings=[*overview.warnings, str(error)])
    layers = overview.graph.layers
    names = [layer.name for layer in layers if not is_part_of_next(layer)]
    effects = dict.fromkeys([layer.name for layer in layers], "loads")
    problems = netx_problems(net, {index: each.netx for index, each in enumerate(notes)})
    for problem in sorted(problems, key=lambda each: get_args(Effect).index(each.effect)):
        effects[names[problem.layer - len(net.layers)]] = problem.effect
    return replace(overview, netx=NetxView(effects, netx_warnings(net, problems, names)))


def _from_description(
    kind: str, description: Description, run: RunState | None, best: Path | None = None
) -> Overview:
    document = description.document
    training_set = read_training_set(document, description.resolve)
    graph = build_graph(document)
    notes = [*describe_inferred(document, graph, training_set), *list_defaults(description, graph)]
    samples = document.training.without_held_out(training_set.samples)
    warnings = [each.message for each in description.warnings]
    first = document.weights and description.resolve(document.weights.path)
    if (best is None or not best.exists()) and first and first.suffix == ".safetensors":
        best = first
    learnt = {} if best is None else _learnt_values(graph, best, warnings)
    return _build_overview(kind, document, samples, run, notes, warnings, learnt)


def _learnt_values(graph: Graph, best: Path, warnings: list[str]) -> LearntValues:
    """Reads the learnt values from a file of weights; empty if there is no such file yet.

    If the weights cannot be read, the error is appended to ``warnings``.
    """
    learning = [layer for layer in graph.neuron_layers if layer.learnt_shapes]
    if not learning:
        return {}
    from netdesc.report import RunError
    from netdesc.report.weights import open_weights

    learnt: dict[tuple[str, str], Range] = {}
    try:
        with open_weights(best) as weights:
            if weights is None:
                return {}
            for layer in learning:
                for name, values in weights.learnt(layer).items():
                    learnt[layer.name, name] = float(values.min()), float(values.max())
    except RunError as error:
        warnings.append(str(error))
    return learnt


def _build_overview(
    kind: str,
    document: Document,
    samples: int | None,
    run: RunState | None,
    notes: list[str],
    warnings: list[str],
    learnt: LearntValues,
) -> Overview:
    graph = build_graph(document)
    estimate = estimate_memory(graph, document.training, samples)
    neurons = {each.name: _view_neuron(each, learnt) for each in graph.neuron_layers}
    layers = [
        LayerView(row, neurons.get(row.name), memory)
        for row, memory in zip(summary(graph), estimate.layers.values(), strict=True)
    ]
    text = document.description
    return Overview(kind, text, graph, layers, samples, estimate.batch, run, notes, warnings)


def _view_neuron(layer: SynapticNode, learnt: LearntValues) -> NeuronView:
    neuron, step_ms = layer.neuron, layer.step_ms
    kinds = neuron.value_kinds()

    def view(name: str, given: float | Range) -> ValueView:
        low, high = value = learnt.get((layer.name, name), value_range(given))
        device = constants = None
        if kinds[name] == "threshold":
            device = threshold_mantissa(low) / WEIGHT_UNIT, threshold_mantissa(high) / WEIGHT_UNIT
        if kinds[name] == "decay":
            constants = time_constant_ms(low, step_ms), time_constant_ms(high, step_ms)
        return ValueView(kinds[name], value, device, constants, name in neuron.learn)

    values = {name: view(name, given) for name, given in layer.neuron_values.items()}
    bias = learnt.get((layer.name, "bias"), (0, 0))
    own = {"bias": ValueView("grid", bias, None, None, True)} if layer.section.learns_bias else {}
    return NeuronView(layer.neuron_name, neuron.type_name(), values | own)


def time_constant_ms(share: float, step_ms: float) -> float | None:
    """Returns the time in ms after which 1/e is left if ``share`` is lost per step.

    This is -step / ln(1 - share); None if nothing is lost, 0 if all is lost.
    """
    if share <= 0:
        return None
    return 0.0 if share >= 1 else -step_ms / math.log1p(-share)
