"""From a ``.net`` file to a document of the language and its weights."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from netdesc.description.canonical_layout import document_text
from netdesc.description.models.document import FORMAT, Document
from netdesc.events.atomic_write import atomic_path
from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import (
    LARGEST_WEIGHT,
    SMALLEST_WEIGHT,
    DenseLayer,
    FlattenLayer,
    NetFile,
    NetLayer,
)
from netdesc.graph import Dense, Graph
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT

DEFAULT_STEPS = 1000
"""Steps of a sample where neither the file nor the caller says."""

LOSS = {"type": "spike_time", "time_constant_ms": 2.0, "filter_order": 2}
TRAINING = {"epochs": 100, "optimizer": {"type": "adam", "learning_rate": 0.001}}
"""How an imported network would be trained on: a ``.net`` file holds nothing of that."""

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table that ``netdesc import`` prints. ``layer`` is the index in the file."""

    layer: int
    name: str
    type: str
    input_size: int
    output_size: int
    threshold: float | None
    weights: int


@dataclass(frozen=True, eq=False)
class Imported:
    """A document and the weights that go with it, under the names of the model's state.

    ``description`` has no ``data``: the file says nothing of it. Its ``weights.path`` is
    ``<name>.safetensors``, relative to where the document will lie. ``warnings`` tell what in the
    file was passed over, ``assumed`` what the document says and the file does not.
    """

    description: JsonObject
    weights: dict[str, NDArray[np.float32]]
    table: list[Row]
    warnings: list[str]
    assumed: list[str]

    @property
    def document(self) -> Document:
        """``description``, checked."""
        return Document.model_validate_json(json.dumps(self.description))

    def save(self, folder: str | Path) -> Path:
        """Writes ``<name>.json`` and ``<name>.safetensors`` into ``folder``; returns the former.

        FileExistsError where one of them is there already, OSError where they cannot be written.
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
    path: str | Path, *, name: str | None = None, steps: int | None = None, step_ms: float = 1.0
) -> Imported:
    """Reads a ``.net`` file into a document and weights; exported again, it is the same file.

    ``name`` is the network's name (the file's own by default). ``steps`` and ``step_ms`` are used
    where the file does not give its time. NetFileError names what is wrong, or what the language
    cannot say, with the layer's index.
    """
    path = Path(path)
    reading = read_net(path)
    net = reading.net
    parts = [
        _import_part(path, index, _name(index, layer), layer)
        for index, layer in enumerate(net.layers)
    ]
    name = name or re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).lstrip(".-")[:100] or "network"
    neurons, layers = _named_neurons([part.layer for part in parts if part.layer])
    description: JsonObject = {
        "format": FORMAT,
        "name": name,
        "description": f"Imported from {path.name}.",
        "time": _time(path, net, steps, step_ms),
        "input": {"shape": list(net.input_shape)},
        "neurons": neurons,
        "layers": layers,
        "loss": LOSS,
        "training": TRAINING,
        "weights": {"path": f"{name}.safetensors"},
    }
    weights = {key: value for part in parts for key, value in part.weights.items()}
    assumed: list[str] = []
    if net.simulation is None and steps is None:
        assumed.append(
            f"{DEFAULT_STEPS:,} steps of {step_ms:g} ms are assumed: the file does not say how "
            f"long a sample is (time.steps)"
        )
    return Imported(description, weights, _table(net), reading.warnings, assumed)


def _time(path: Path, net: NetFile, steps: int | None, step_ms: float) -> JsonObject:
    given = net.simulation
    if given is None:
        return {"steps": steps or DEFAULT_STEPS, "step_ms": step_ms}
    if given.step_ms < 1 or given.sample_ms < given.step_ms:
        problem = f"a step of {given.step_ms} ms in a sample of {given.sample_ms} ms is no time"
        raise NetFileError(path, f"simulation: {problem}")
    return {"steps": steps or given.sample_ms // given.step_ms, "step_ms": float(given.step_ms)}


def _table(net: NetFile) -> list[Row]:
    rows: list[Row] = []
    size = math.prod(net.input_shape)
    for index, layer in enumerate(net.layers):
        dense = layer if isinstance(layer, DenseLayer) else None
        output = dense.outputs if dense else size
        threshold = dense.threshold / WEIGHT_UNIT if dense else None
        weights = dense.weight.size if dense else 0
        name = _name(index, layer)
        rows.append(Row(index, name, layer.kind, size, output, threshold, weights))
        size = output
    return rows


def read_weights(path: str | Path, graph: Graph) -> dict[str, NDArray[np.float32]]:
    """The weights of a ``.net`` file under the names of ``graph``'s layers, to start from.

    Layers with neurons are matched in their order, whatever they are called. NetFileError where
    their number or the shape of one does not fit.
    """
    path = Path(path)
    net = read_net(path).net
    theirs = [(i, layer) for i, layer in enumerate(net.layers) if isinstance(layer, DenseLayer)]
    ours = [layer for layer in graph.layers if isinstance(layer, Dense)]
    if len(theirs) != len(ours):
        problem = f"has {len(theirs)} layers of neurons; {graph.name} has {len(ours)}"
        raise NetFileError(path, problem)
    weights: dict[str, NDArray[np.float32]] = {}
    for (index, layer), wanted in zip(theirs, ours, strict=True):
        shape = (math.prod(wanted.output_shape), math.prod(wanted.input_shape))
        if layer.weight.shape != shape:
            problem = f"has shape {list(layer.weight.shape)}; {wanted.name} has {list(shape)}"
            raise NetFileError(path, problem, index, "weight")
        weights |= _state_for(wanted, _import_part(path, index, wanted.name, layer).weights)
    return weights


def _state_for(
    wanted: Dense, weights: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """What a file says, in the form in which ``wanted`` keeps it."""
    state = f"layers.{wanted.name}"
    weight = weights[f"{state}.synapse.weight"]
    if wanted.section.weight_norm:
        weights[f"{state}.synapse.gain"] = np.linalg.norm(weight, axis=1, keepdims=True)
    for name in (f"{state}.neuron.current_decay", f"{state}.neuron.voltage_decay"):
        if wanted.neuron.per_channel:
            weights[name] = np.broadcast_to(weights[name], len(weight)).copy()
    mean = f"{state}.neuron.norm.running_mean"
    if wanted.neuron.norm:
        weights.setdefault(mean, np.zeros(len(weight), np.float32))
    return weights


# Layers


@dataclass(frozen=True)
class Part:
    """What one layer of the file adds to the document (nothing: None) and to the weights."""

    layer: JsonObject | None
    weights: dict[str, NDArray[np.float32]]


def _name(index: int, layer: NetLayer) -> str:
    """Layers have no names in the file; these lead back to their place in it."""
    return f"{layer.kind}{index}"


def _import_part(path: Path, index: int, name: str, layer: NetLayer) -> Part:
    try:
        return IMPORTERS[layer.kind](name, layer)
    except LayerError as error:
        raise NetFileError(path, error.problem, index, error.dataset) from error


def _import_input(_name: str, _layer: NetLayer) -> Part:
    return Part(None, {})


def _import_flatten(name: str, _layer: FlattenLayer) -> Part:
    return Part({"name": name, "type": "flatten"}, {})


def _import_dense(name: str, layer: DenseLayer) -> Part:
    if layer.threshold == 0:
        raise LayerError("neuron/vThMant", "is 0; netdesc's thresholds are above 0")
    own_decays = bool(layer.current_decay.ndim)
    neuron: JsonObject = {
        "type": "cuba",
        "threshold": layer.threshold / WEIGHT_UNIT,
        "current_decay": _range(layer.current_decay),
        "voltage_decay": _range(layer.voltage_decay),
    }
    if own_decays:
        neuron["per_channel"] = True
    state = f"layers.{name}"
    weights = {
        f"{state}.synapse.weight": _real(layer.weight, WEIGHT_UNIT),
        f"{state}.neuron.current_decay": _real(layer.current_decay, DECAY_ONE),
        f"{state}.neuron.voltage_decay": _real(layer.voltage_decay, DECAY_ONE),
    }
    if layer.bias is not None:
        neuron["norm"] = "mean"
        weights[f"{state}.neuron.norm.running_mean"] = _real(_mean(layer.bias), WEIGHT_UNIT)
    return Part({"name": name, "type": "dense", "units": layer.outputs, "neuron": neuron}, weights)


def _real(values: Integers, unit: int) -> NDArray[np.float32]:
    """Exact: all integers here have at most 24 bits and the units are powers of two."""
    # Not ascontiguousarray, which would turn a shape of () into (1,).
    return np.asarray(values / np.float64(unit), dtype=np.float32, order="C")


def _range(decay: Integers) -> float | list[float]:
    low, high = int(decay.min()) / DECAY_ONE, int(decay.max()) / DECAY_ONE
    return low if low == high else [low, high]


def _mean(bias: Integers) -> Integers:
    """The running mean of the norm that gives this bias; it lies on the weights' grid."""
    mean = -bias
    wrong = (mean % 2 != 0) | (mean < SMALLEST_WEIGHT) | (mean > LARGEST_WEIGHT)
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        raise LayerError(
            "bias",
            f"[{index}] is {bias[index]}; only even biases from {-LARGEST_WEIGHT} to "
            f"{-SMALLEST_WEIGHT} come from a neuron norm, and netdesc has no other bias",
        )
    return mean


def _named_neurons(layers: list[JsonObject]) -> tuple[JsonObject, list[JsonObject]]:
    """Gives each different neuron a name and puts the names into the layers."""
    neurons: JsonObject = {}
    named = []
    for layer in layers:
        neuron = layer.get("neuron")
        if neuron is not None:
            name = next((name for name, known in neurons.items() if known == neuron), None)
            if name is None:
                name = f"cuba{len(neurons) + 1}"
                neurons[name] = neuron
            layer = {**layer, "neuron": name}
        named.append(layer)
    return neurons, named


IMPORTERS: dict[str, Callable[[str, Any], Part]] = {
    "input": _import_input,
    "flatten": _import_flatten,
    "dense": _import_dense,
}
