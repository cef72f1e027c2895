"""Imports a ``.net`` file as a document and its weights."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from netdesc.description.canonical_layout import document_text
from netdesc.description.diagnostics.terminal_text import escape
from netdesc.description.models.document import FORMAT, MAX_STEP_MS, MAX_STEPS, Document
from netdesc.events.atomic_write import atomic_path
from netdesc.exchange.errors import NetFileError
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import DenseLayer, FlattenLayer, InputLayer, Simulation
from netdesc.graph import DenseNode, Graph
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT

DEFAULT_TIME = Simulation(step_ms=1.0, sample_ms=1000.0)
"""The lengths of a step and of a sample if neither the file nor the caller gives them."""

STEPS_ASSUMED = (
    f"{DEFAULT_TIME.steps:,} steps are assumed: the file does not say how long a sample is"
)
STEP_MS_ASSUMED = (
    f"steps of {DEFAULT_TIME.step_ms:g} ms are assumed: the file does not say how long a step is"
)

LOSS = {"type": "spike_time", "time_constant_ms": 2.0, "filter_order": 2}
TRAINING = {"epochs": 100, "optimizer": {"type": "adam", "learning_rate": 0.001}}
"""The ``loss`` and ``training`` of imported documents. A document requires these fields, and a
``.net`` file has no values for them.
"""

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ImportedLayer:
    """A row of the table that ``netdesc import`` prints; ``layer`` is the layer's index in the
    file.
    """

    layer: int
    name: str
    type: str
    input_size: int
    output_size: int
    threshold: float | None
    weights: int


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
    assumed: list[str]
    """A sentence for each value that the file does not hold and the import assumed."""
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
    path = Path(path)
    _require_range("steps", steps, MAX_STEPS)
    _require_range("step_ms", step_ms, MAX_STEP_MS)
    net, read_warnings = read_net(path)
    time = net.simulation or DEFAULT_TIME
    names = [f"{layer.kind}{index}" for index, layer in enumerate(net.layers)]
    parts = [
        IMPORTERS[type(layer)](name, layer) for name, layer in zip(names, net.layers, strict=True)
    ]
    name = name or re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).lstrip(".-")[:100] or "network"
    neurons, layers = _name_neurons([part.section for part in parts if part.section])
    description: JsonObject = {
        "format": FORMAT,
        "name": name,
        "description": f"Imported from {escape(path.name)}.",
        "time": {
            "steps": time.steps if steps is None else operator.index(steps),
            "step_ms": float(time.step_ms if step_ms is None else step_ms),
        },
        "input": {"shape": list(net.input_shape)},
        "neurons": neurons,
        "layers": layers,
        "loss": LOSS,
        "training": TRAINING,
        "weights": {"path": f"{name}.safetensors"},
    }
    weights = {key: value for part in parts for key, value in part.weights.items()}
    steps_are_assumed = net.simulation is None and steps is None
    step_ms_is_assumed = net.simulation is None and step_ms is None
    assumed = [
        *([f"{STEPS_ASSUMED} (time.steps)"] if steps_are_assumed else []),
        *([f"{STEP_MS_ASSUMED} (time.step_ms)"] if step_ms_is_assumed else []),
        *ALWAYS_ASSUMED,
    ]
    table = [
        ImportedLayer(
            layer=index,
            name=names[index],
            type=layer.kind,
            input_size=math.prod(layer.input_shape),
            output_size=layer.outputs,
            threshold=parts[index].threshold,
            weights=parts[index].synapses,
        )
        for index, layer in enumerate(net.layers)
    ]
    return ImportedNetwork(
        description, weights, table, read_warnings, assumed, steps_are_assumed, step_ms_is_assumed
    )


def _describe(section: JsonObject) -> str:
    """Returns the section as text: its type, then the other fields with their values."""
    values = [f"{name} {value:g}" for name, value in section.items() if name != "type"]
    return f"{section['type']} with {' and '.join(values)}"


ALWAYS_ASSUMED = (
    "decays that training does not change: the file does not say which are learnt (learn)",
    "no dropout (dropout)",
    f"loss {_describe(LOSS)} (loss)",
    f"{TRAINING['epochs']} epochs (training.epochs)",
    f"optimizer {_describe(TRAINING['optimizer'])} (training.optimizer)",
)
"""The sentences of ``ImportedNetwork.assumed`` for values that no ``.net`` file holds."""


def _require_range(name: str, value: float | None, largest: float) -> None:
    if value is not None and not 0 < value <= largest:
        raise ValueError(f"{name} is {value}; it is above 0 and at most {largest:,.0f}")


def read_weights(path: str | Path, graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Reads the weights of a ``.net`` file as initial weights of ``graph``.

    Returns the weights by their names in the state dict. The n-th layer with neurons in the file
    belongs to the n-th layer with neurons in the graph; names are not compared. NetFileError if the
    number of these layers or the shape of a weight differs.
    """
    path = Path(path)
    net = read_net(path).net
    records, layers = net.neuron_layers, graph.neuron_layers
    if len(records) != len(layers):
        problem = f"has {len(records)} layers of neurons; {graph.name} has {len(layers)}"
        raise NetFileError(path, problem)
    weights: dict[str, NDArray[np.float32]] = {}
    for (index, record), layer in zip(records, layers, strict=True):
        shape = (math.prod(layer.output_shape), math.prod(layer.input_shape))
        if record.weight.shape != shape:
            problem = f"has shape {list(record.weight.shape)}; {layer.name} has {list(shape)}"
            raise NetFileError(path, problem, index, "weight")
        weights |= _layer_state(layer, _import_dense(layer.name, record).weights)
    return weights


def _layer_state(
    layer: DenseNode, weights: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Adds to ``weights`` the values of the state dict of ``layer`` that a ``.net`` file lacks.

    These are the gains of a weight norm (the norms of the weights' rows) and the running mean of a
    neuron norm (0 if the file has no bias). Repeats a shared decay for each neuron if the layer has
    decays per neuron. Changes and returns ``weights``.
    """
    state = f"layers.{layer.name}"
    weight = weights[f"{state}.synapse.weight"]
    if layer.section.weight_norm:
        weights[f"{state}.synapse.gain"] = np.linalg.norm(weight, axis=1, keepdims=True)
    for name in (f"{state}.neuron.current_decay", f"{state}.neuron.voltage_decay"):
        if layer.neuron.per_channel:
            weights[name] = np.broadcast_to(weights[name], len(weight)).copy()
    mean = f"{state}.neuron.norm.running_mean"
    if layer.neuron.norm:
        weights.setdefault(mean, np.zeros(len(weight), np.float32))
    return weights


# Layers


@dataclass(frozen=True)
class LayerImport:
    """The result of importing one layer of the file.

    ``section`` is the layer's section of the document, None for an input layer. ``weights`` have
    the names of the state dict. ``threshold`` is None for a layer without neurons. ``synapses`` is
    the number of weights.
    """

    section: JsonObject | None = None
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    threshold: float | None = None
    synapses: int = 0


def _import_input(_name: str, _layer: InputLayer) -> LayerImport:
    return LayerImport()


def _import_flatten(name: str, _layer: FlattenLayer) -> LayerImport:
    return LayerImport({"name": name, "type": "flatten"})


def _import_dense(name: str, layer: DenseLayer) -> LayerImport:
    neuron: JsonObject = {
        "type": "cuba",
        "threshold": layer.threshold / WEIGHT_UNIT,
        "current_decay": _decay_range(layer.current_decay),
        "voltage_decay": _decay_range(layer.voltage_decay),
    }
    if layer.current_decay.ndim:
        neuron["per_channel"] = True
    state = f"layers.{name}"
    weights = {
        f"{state}.synapse.weight": _to_float(layer.weight, WEIGHT_UNIT),
        f"{state}.neuron.current_decay": _to_float(layer.current_decay, DECAY_ONE),
        f"{state}.neuron.voltage_decay": _to_float(layer.voltage_decay, DECAY_ONE),
    }
    if layer.bias is not None:
        neuron["norm"] = "mean"
        weights[f"{state}.neuron.norm.running_mean"] = _to_float(-layer.bias, WEIGHT_UNIT)
    section = {"name": name, "type": "dense", "units": layer.outputs, "neuron": neuron}
    return LayerImport(section, weights, neuron["threshold"], layer.weight.size)


def _to_float(values: Integers, unit: int) -> NDArray[np.float32]:
    """Divides integers by ``unit``, a power of two, as float32.

    The result is exact, because the integers have at most 24 bits.
    """
    # np.ascontiguousarray would change the shape () to (1,).
    return np.asarray(np.divide(values, unit, dtype=np.float32), order="C")


def _decay_range(decay: Integers) -> float | list[float]:
    low, high = int(decay.min()) / DECAY_ONE, int(decay.max()) / DECAY_ONE
    return low if low == high else [low, high]


def _name_neurons(layers: list[JsonObject]) -> tuple[JsonObject, list[JsonObject]]:
    """Moves the ``neuron`` sections of layers into one table, where equal sections share a name.

    Returns the table, and the layers with names instead of sections. ``layers`` stays unchanged.
    """
    neurons: JsonObject = {}
    named_layers = []
    for layer in layers:
        neuron = layer.get("neuron")
        if neuron is not None:
            name = next((name for name, known in neurons.items() if known == neuron), None)
            if name is None:
                name = f"cuba{len(neurons) + 1}"
                neurons[name] = neuron
            layer = {**layer, "neuron": name}
        named_layers.append(layer)
    return neurons, named_layers


IMPORTERS: dict[type, Callable[[str, Any], LayerImport]] = {
    InputLayer: _import_input,
    FlattenLayer: _import_flatten,
    DenseLayer: _import_dense,
}
