"""Imports a ``.net`` file as a document and its weights."""

import functools
import hashlib
import json
import operator
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import save

from netdesc.atomic_write import atomic_path
from netdesc.description.diagnostics.wording import escape
from netdesc.description.document_text import document_text
from netdesc.description.models.document import FORMAT, MAX_STEP_MS, MAX_STEPS, Document
from netdesc.description.models.layers import Shape
from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.import_layers import (
    IMPORTERS,
    JsonObject,
    LayerImport,
    import_as,
    name_neurons,
    neuron_differences,
    neuron_section,
    neuron_state,
    split_delays,
    to_float,
)
from netdesc.exchange.net_notes import LayerNotes
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import NetFile
from netdesc.exchange.net_synapses import NeuronLayer, SynapticLayer
from netdesc.graph import Graph, SynapticNode, build_graph
from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.machine import return_freed_memory

DEFAULT_TIME: JsonObject = {"steps": 1000, "step_ms": 1.0}
"""The ``time`` of a document if neither the file nor the caller gives it."""

_UNSAID = "are assumed: the file does not say how long"
TIME_ASSUMED = {
    "steps": f"{DEFAULT_TIME['steps']:,} steps {_UNSAID} a sample is",
    "step_ms": f"steps of {DEFAULT_TIME['step_ms']:g} ms {_UNSAID} a step is",
}
STEP_MS_WARNING = f"{TIME_ASSUMED['step_ms']}; to set it, import the file with step_ms (--step-ms)"

TRAINING: JsonObject = {"epochs": 100, "optimizer": {"type": "adam", "learning_rate": 0.001}}
"""The ``training`` of imported documents, which a ``.net`` file has no values for."""

VARIANCE_OF_NO_SCALE = 0.5
"""A running variance whose ``mean_variance`` norm multiplies by 1."""


@dataclass(frozen=True)
class ImportedLayer:
    """A row of the table that ``netdesc import`` prints, of the layer with index ``layer``."""

    layer: int
    name: str
    type: str
    neuron: str
    """The type of the neurons in the document; empty for a layer without neurons."""
    input_shape: Shape
    output_shape: Shape
    threshold: float | None
    weights: int
    inferred: tuple[str, ...]
    """What stands in the document in place of what the file does not say, or says otherwise."""
    unknown: tuple[str, ...]
    """The datasets that were not read."""


@dataclass(frozen=True, eq=False)
class ImportedNetwork:
    """A document, and its weights by their names in the model's state dict."""

    description: JsonObject
    """The document as JSON. It has no ``data``. ``weights.path`` is ``<name>.safetensors``, which
    ``save`` writes."""
    weights: dict[str, NDArray[np.float32]]
    table: list[ImportedLayer]
    warnings: list[str]
    """A warning for each difference between the file, or the network it is of, and the document."""
    assumptions: list[str]
    """A sentence for each value that the file does not hold and the import assumed, with the option
    of ``netdesc train`` that states it."""
    steps_are_assumed: bool
    """Whether the number of steps is one of the assumed values."""
    step_ms_is_assumed: bool
    """Whether the length of a step is one of the assumed values."""

    @property
    def document(self) -> Document:
        """``description`` as a validated model."""
        return Document.model_validate_json(json.dumps(self.description))

    def save(self, folder: str | Path) -> Path:
        """Writes ``<name>.json`` and ``<name>.safetensors`` into ``folder``.

        Returns the path of the document. FileExistsError if one of the files exists, OSError if a
        file cannot be written.
        """
        target = Path(folder) / f"{self.description['name']}.json"
        tensors = target.with_suffix(".safetensors")
        for path in (target, tensors):
            if path.exists():
                raise FileExistsError(17, "there is such a file already", str(path))
        content = save(self.weights)
        reference = {"path": tensors.name, "sha256": hashlib.sha256(content).hexdigest()}
        document = {**self.description, "weights": reference}
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(tensors) as temporary:
            temporary.write_bytes(content)
        with atomic_path(target) as temporary:
            temporary.write_text(document_text(document), encoding="utf-8", newline="\n")
        return target


def import_net(
    path: str | Path,
    *,
    name: str | None = None,
    steps: int | None = None,
    step_ms: float | None = None,
) -> ImportedNetwork:
    """Reads a ``.net`` file as a document and its weights. Exporting both gives the same network.

    ``name`` is the network's name, by default the name of the file. ``steps`` replaces the number
    of steps of a sample in the file, ``step_ms`` the length of a step in milliseconds. If neither
    the file nor the caller gives them, they are 1000 and 1. NetFileError, with the layer's index,
    if the file is invalid or a document cannot express the network, ValueError if ``steps`` or
    ``step_ms`` is out of range.

    >>> imported = netdesc.import_net("oxford.net", steps=1900)
    >>> [layer.name for layer in imported.table], netdesc.compile(imported).graph.parameters
    (['dense0', 'dense1'], 102400)
    """
    path, chosen_time = Path(path), check_time(steps, step_ms)
    net, warnings, notes = read_net(path)
    parts: dict[str, LayerImport] = {}
    for index, layer in enumerate(net.layers):
        part_name = f"{layer.kind}{index}"
        try:
            parts[part_name] = IMPORTERS[type(layer)](part_name, layer)
        except LayerError as error:
            raise NetFileError(path, error.problem, index, error.dataset) from error
    content: JsonObject = {
        "input": {"shape": list(net.input_shape)},
        "layers": [section for part in parts.values() for section in part.sections],
        "loss": [part.loss for part in parts.values() if part.loss is not None][-1],
    }
    time = net.simulation and {"steps": net.simulation.steps, "step_ms": net.simulation.step_ms}
    described = describe_network(path, name, chosen_time, time, content)
    description, graph, assumptions, is_assumed = described
    weights: dict[str, NDArray[np.float32]] = {}
    for (_, record), layer in zip(_neuron_records(net), graph.neuron_layers, strict=True):
        weights |= _layer_state(layer, record)
    return_freed_memory()  # of which large arrays take much
    table = _make_table(net, parts, notes)
    assumptions += _name_neuron_fields(description["neurons"])
    delaying = [f"layers.{layer.name}" for layer in graph.neuron_layers if layer.delay]
    if delaying:
        options = " ".join(f"--set {layer}.axonal_delay_step=false" for layer in delaying)
        text = "an axonal delay step behind spikes, as with delay_shift=True in slayer"
        assumptions.append(f"{text} ({options})")
    return ImportedNetwork(description, weights, table, warnings, assumptions, *is_assumed.values())


def describe_network(
    path: Path,
    name: str | None,
    chosen_time: JsonObject,
    stored_time: JsonObject | None,
    content: JsonObject,
) -> tuple[JsonObject, Graph, list[str], dict[str, bool]]:
    """Returns the document of the network in a file, its graph, a sentence for each value that no
    file holds, and which fields of its time are assumed.

    ``content`` has the sections that the file says, with neurons in its layers. NetFileError if a
    document cannot have its values.
    """
    name, time = name or network_name(path), (stored_time or DEFAULT_TIME) | chosen_time
    neurons, layers = name_neurons(content["layers"])
    description = {
        "format": FORMAT,
        "name": name,
        "description": f"Imported from {escape(path.name)}.",
        "time": {"steps": operator.index(time["steps"]), "step_ms": float(time["step_ms"])},
        "input": content["input"],
        "neurons": neurons,
        "layers": layers,
        "loss": content["loss"],
        "training": TRAINING,
        "weights": {"path": f"{name}.safetensors"},
    }
    try:
        graph = build_graph(Document.model_validate_json(json.dumps(description)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise NetFileError(path, f"a document cannot have this {field}: {first['msg']}") from error
    is_assumed = {key: not stored_time and key not in chosen_time for key in DEFAULT_TIME}
    return description, graph, _describe_assumptions(description, is_assumed), is_assumed


def network_name(path: Path) -> str:
    """Returns the name of the network that a file holds, made of the name of the file."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).lstrip(".-")[:100] or "network"


def _make_table(
    net: NetFile, parts: dict[str, LayerImport], notes: Sequence[LayerNotes]
) -> list[ImportedLayer]:
    table: list[ImportedLayer] = []
    rows = enumerate(zip(net.layers, parts.items(), notes, strict=True))
    for index, (layer, (name, part), note) in rows:
        neuron: JsonObject = {"type": ""}
        weights = 0
        if isinstance(layer, SynapticLayer):
            weights = sum(weight.size for weight in layer.state_weights)
            neuron = part.sections[-1]["neuron"] or {"type": "none"}
        types, shapes = (layer.kind, neuron["type"]), (layer.input_shape, layer.output_shape)
        numbers = neuron.get("threshold"), weights
        row = ImportedLayer(index, name, *types, *shapes, *numbers, note.inferred, note.unknown)
        table.append(row)
    return table


def _describe_assumptions(description: JsonObject, is_assumed: dict[str, bool]) -> list[str]:
    texts = {
        **{f"time.{name}": text for name, text in TIME_ASSUMED.items() if is_assumed[name]},
        "loss": f"loss {_describe(description['loss'])}",
        "training.epochs": f"{TRAINING['epochs']} epochs",
        "training.optimizer": f"optimizer {_describe(TRAINING['optimizer'])}",
    }
    named: list[str] = []
    for field, text in texts.items():
        value = functools.reduce(operator.getitem, field.split("."), description)
        named.append(f"{text} (--set {shlex.quote(f'{field}={json.dumps(value)}')})")
    return named


def _name_neuron_fields(neurons: JsonObject) -> Iterator[str]:
    """Yields sentences for values of neurons that no ``.net`` file holds."""
    for name, section in neurons.items():
        learnable = neuron_section(section).learnable()
        if learnable and not section.get("fine_units"):
            values = {"learn": [*learnable][-1:], "dropout": 0.1, "tau_grad": 1, "scale_grad": 1}
            learn, dropout, *surrogate = (
                f"--set {shlex.quote(f'neurons.{name}.{field}={json.dumps(value)}')}"
                for field, value in values.items()
            )
            yield (
                "neurons that training does not change: the file does not say which values are "
                f"learnt ({learn})"
            )
            yield f"no dropout ({dropout})"
            yield f"slayer's default surrogate gradient ({' '.join(surrogate)})"
            return


def _describe(section: JsonObject) -> str:
    values = {name: value for name, value in section.items() if name != "type"}
    texts = (
        f"{name} {each if isinstance(each, str) else f'{each:g}'}" for name, each in values.items()
    )
    return " with ".join([section["type"], *([" and ".join(texts)] if values else [])])


def check_time(steps: int | None, step_ms: float | None) -> JsonObject:
    """Returns those that are not None. ValueError if one is out of range."""
    chosen = {"steps": (steps, MAX_STEPS), "step_ms": (step_ms, MAX_STEP_MS)}
    for name, (value, largest) in chosen.items():
        if value is not None and not 0 < value <= largest:
            raise ValueError(f"{name} is {value}; it must be above 0 and at most {largest:,.0f}")
    return {name: value for name, (value, _) in chosen.items() if value is not None}


def read_weights(
    path: str | Path, graph: Graph, warn: Callable[[str], None] = lambda text: None
) -> dict[str, NDArray[np.float32]]:
    """Reads the weights of a ``.net`` file as initial weights of ``graph``.

    Returns the weights by their names in the state dict. The n-th layer with neurons in the file
    belongs to the n-th layer with neurons in the graph; names are not compared. NetFileError if the
    number of these layers or the shape of a weight differs. If neurons differ, calls ``warn`` once,
    with the layers, and what the file and the document have.
    """
    path = Path(path)
    net = read_net(path).net
    records, layers = _neuron_records(net), graph.neuron_layers
    if len(records) != len(layers):
        problem = f"has {len(records)} layers of neurons; {graph.name} has {len(layers)}"
        raise NetFileError(path, problem)
    weights: dict[str, NDArray[np.float32]] = {}
    differing: dict[str, list[str]] = {}
    for (index, record), layer in zip(records, layers, strict=True):
        if record.section_type != layer.section.type_name():
            problem = f"is {record.kind}; {layer.name} is {layer.section.type_name()}"
            raise NetFileError(path, problem, index, "type")
        weight, shape = record.state_weights[0], layer.weight_shape
        if weight.shape != shape:
            problem = f"has shape {list(weight.shape)}; {layer.name} has {list(shape)}"
            raise NetFileError(path, problem, index, record.weight_datasets[0])
        try:
            weights |= _layer_state(layer, record)
            differences = ", ".join(neuron_differences(record.neuron, layer.neuron))
            differing.setdefault(differences, []).append(f'"{layer.name}"')
        except LayerError as error:
            raise NetFileError(path, error.problem, index, error.dataset) from error
    differing.pop("", None)
    if differing:
        each = (f"{' and '.join(names)}: {text}" for text, names in differing.items())
        warn(f"{path}: its neurons differ from those of the document: {'; '.join(each)}")
    return weights


def _neuron_records(net: NetFile) -> list[tuple[int, NeuronLayer]]:
    """Returns (index in the file, record) of each layer with synapses, also of those for delays."""
    return [(index, part) for index, layer in net.neuron_layers for part in split_delays(layer)]


def _layer_state(layer: SynapticNode, record: NeuronLayer) -> dict[str, NDArray[np.float32]]:
    """Returns the state dict of ``layer``, as far as ``record`` has its values.

    Adds what a ``.net`` file lacks: the gains of a weight norm (the norms of the weights' rows) and
    the running mean and variance of a neuron norm. A file's bias is that of the layer; if it has
    none, the mean of its norm. Repeats a shared value for each neuron if the layer has values per
    neuron.
    """
    neuron = layer.neuron
    values, state = import_as(neuron, record.neuron).values, dict[str, NDArray[np.float32]]()
    for name, integers in zip(record.weight_names, record.state_weights, strict=True):
        state[name] = weight = to_float(integers)
        if layer.section.weight_norm:
            axes = tuple(range(1, weight.ndim))
            norm = np.sqrt(np.square(weight).sum(axis=axes, keepdims=True))
            state[f"{name.removesuffix('weight')}gain"] = norm
    state |= neuron_state(neuron, values, record.channels)
    norm = neuron.norm
    bias = to_float(np.zeros(record.channels, np.int32) if record.bias is None else record.bias)
    if layer.section.learns_bias or (record.bias is not None and not norm):
        state["neuron.bias"], bias = bias, np.zeros_like(bias)
    if norm:
        if (bias * (WEIGHT_UNIT // 2) % 1).any():
            problem = f'has odd numbers, which a norm cannot hold: add "bias": true to {layer.name}'
            raise LayerError("bias", problem)
        state["neuron.norm.running_mean"] = -bias
    delay = record.delay if record.delay is not None else np.zeros(record.channels, np.int32)
    if layer.section.delay is not None and layer.section.delay.steps is None:
        state["neuron.axonal.delay"] = delay.astype(np.float32)
    elif (delay != layer.section.own_delay).any():
        problem = f'differs from the delay of {layer.name}: write "delay": {{"learn": true}}'
        raise LayerError("delay", problem)
    if norm == "mean_variance":
        state["neuron.norm.running_var"] = np.array(VARIANCE_OF_NO_SCALE, np.float32)
    return {f"layers.{layer.name}.{name}": value for name, value in state.items()}
