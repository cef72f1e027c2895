"""Reads a ``.net`` file into its record, with one function per type of layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.hdf5_reader import Group, escape_name, open_net
from netdesc.exchange.net_record import (
    DenseLayer,
    FlattenLayer,
    InputLayer,
    NetFile,
    NetLayer,
    Simulation,
)

MAX_LAYERS = 1_000
"""The limit for the number of layers, the same as in a document."""

CUBA_TYPES = ("CUBA", "LOIHI")
"""The names of the CUBA neuron in files; slayerPytorch (an older slayer) writes LOIHI."""


class ReadResult(NamedTuple):
    """The record of a file, and one warning for each dataset that was not read."""

    net: NetFile
    warnings: list[str]


def read_net(path: str | Path) -> ReadResult:
    """Reads a ``.net`` file.

    NetFileError if the file is invalid or has features that netdesc does not support. The error
    names the file, the layer's index and the dataset.
    """
    with open_net(path) as root:
        layers = root.group("layer")
        groups = [layers.group(str(index), layer=index) for index in _indices(layers)]
        types = [group.text("type") for group in groups]
        _refuse_unknown(path, types)
        records = tuple(_read_layer(kind, group) for kind, group in zip(types, groups, strict=True))
        net = NetFile(records, _read_simulation(root))
        warnings = [
            f"{path}: layer {index}: {name} is not known and was not read"
            for index, (kind, group) in enumerate(zip(types, groups, strict=True))
            for name in _unknown_datasets(kind, group)
        ]
    return ReadResult(net, warnings)


def _indices(layers: Group) -> range:
    names = layers.names()
    if not 1 <= len(names) <= MAX_LAYERS:
        raise layers.error("", f"holds {len(names)} layers; 1 to {MAX_LAYERS} are read")
    expected = {str(index) for index in range(len(names))}
    for name in names:
        if name not in expected:
            raise layers.error(name, f"the layers are not numbered 0 to {len(names) - 1}")
    return range(len(names))


def _refuse_unknown(path: str | Path, types: list[str]) -> None:
    unknown = [(index, kind) for index, kind in enumerate(types) if kind not in READERS]
    if unknown:
        found = ", ".join(f"layer {index} is a {kind} layer" for index, kind in unknown)
        raise NetFileError(path, f"{found}, which netdesc does not read yet")


def _read_layer(kind: str, group: Group) -> NetLayer:
    try:
        return READERS[kind].read(group)
    except LayerError as error:
        raise group.error(error.dataset, error.problem) from error


def _read_simulation(root: Group) -> Simulation | None:
    if not root.has("simulation"):
        return None
    group = root.group("simulation")
    if not (group.has("Ts") and group.has("tSample")):
        return None
    return Simulation(step_ms=group.integer("Ts"), sample_ms=group.integer("tSample"))


def _unknown_datasets(kind: str, group: Group) -> list[str]:
    known = READERS[kind].known
    names = group.names()
    paths = [name for name in names if name != "neuron"]
    if "neuron" in names:
        paths += [f"neuron/{name}" for name in group.group("neuron").names()]
    return [escape_name(name) for name in paths if name not in known]


# Layers


@dataclass(frozen=True)
class LayerReader:
    """The function that reads layers of one type, and the names of their known datasets.

    Some known datasets are ignored. Each unknown dataset of a layer causes a warning.
    """

    read: Callable[[Group], NetLayer]
    known: frozenset[str]


def _sizes(group: Group, name: str) -> tuple[int, ...]:
    sizes = group.integers(name)
    if sizes.ndim != 1 or not 1 <= sizes.size <= 8:
        raise group.error(name, f"has shape {list(sizes.shape)}, not a list of sizes")
    if (sizes < 1).any():
        raise group.error(name, f"is {sizes.tolist()}; sizes are positive")
    return tuple(int(size) for size in sizes)


def _read_input(group: Group) -> InputLayer:
    if group.has("neuron"):
        raise group.error("neuron", "input layers with neurons are not read yet")
    return InputLayer(_sizes(group, "shape"))


def _read_flatten(group: Group) -> FlattenLayer:
    return FlattenLayer(math.prod(_sizes(group, "shape")))


def _read_dense(group: Group) -> DenseLayer:
    outputs = math.prod(_sizes(group, "shape"))
    weight = _dense_weight(group, outputs)
    for name, size in (("outFeatures", weight.shape[0]), ("inFeatures", weight.shape[1])):
        if group.has(name) and group.integer(name) != size:
            raise group.error(name, f"is {group.integer(name)}, but the weight is for {size}")
    _refuse_delay(group)
    neuron = _cuba_group(group)
    bias = group.integers("bias") if group.has("bias") else None
    current, voltage = (_decay(neuron, name, outputs) for name in ("iDecay", "vDecay"))
    if current.ndim != voltage.ndim:  # the record has both decays shared, or both per neuron
        current, voltage = (
            np.broadcast_to(decay, (outputs,)).copy() for decay in (current, voltage)
        )
    return DenseLayer(weight, current, voltage, neuron.integer("vThMant"), bias)


def _dense_weight(group: Group, outputs: int) -> NDArray[np.int32]:
    """Reads the weight; returns [outputs, inputs].

    In the file, the weight may also be one-dimensional, or have further axes of length 1 at the
    end. NetFileError for other shapes and for complex weights.
    """
    if group.is_group("weight"):
        raise group.error("weight", "is complex, which netdesc does not read yet")
    weight = group.integers("weight")
    if weight.ndim == 1 and weight.size and weight.size % outputs == 0:
        return weight.reshape(outputs, -1)
    while weight.ndim > 2 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim != 2 or len(weight) != outputs:
        raise group.error(
            "weight", f"has shape {list(weight.shape)}; [{outputs}, inputs] is needed"
        )
    return weight


def _refuse_delay(group: Group) -> None:
    if not group.has("delay"):
        return
    delay = group.integers("delay")
    if delay.any():
        raise group.error("delay", f"is up to {delay.max()} steps, which netdesc does not read yet")


def _cuba_group(group: Group) -> Group:
    if not group.has("neuron"):
        raise group.error("neuron", "is missing: a layer that only integrates is not read yet")
    neuron = group.group("neuron")
    kind = neuron.text("type")
    if kind not in CUBA_TYPES:
        raise neuron.error("type", f"is {kind}, which netdesc does not read yet")
    for name, value, meaning in NEURON_CONSTANTS:
        if neuron.has(name) and neuron.integer(name) != value:
            raise neuron.error(
                name, f"is {neuron.integer(name)} ({meaning}), which netdesc does not read yet"
            )
    return neuron


NEURON_CONSTANTS = (
    ("refDelay", 1, "a refractory period"),
    ("gradedSpike", 0, "graded spikes"),
    ("messageBits", 0, "graded spikes"),
    ("wgtExp", 0, "a weight exponent"),
)


def _decay(neuron: Group, name: str, outputs: int) -> NDArray[np.int32]:
    """Reads a decay; returns [outputs], or a scalar array if all neurons share one value."""
    decay = neuron.integers(name)
    if decay.size not in (1, outputs):
        raise neuron.error(name, f"has shape {list(decay.shape)}; the layer has {outputs} neurons")
    return decay.reshape(() if decay.size == 1 else -1)


_NEURON_KNOWN = frozenset(
    f"neuron/{name}"
    for name in ("type", "iDecay", "vDecay", "vThMant", *(name for name, *_ in NEURON_CONSTANTS))
)
_NEURON_IGNORED = frozenset(
    f"neuron/{name}" for name in ("tauRho", "scaleRho", "theta", "weight_exp")
)
"""Ignored datasets: parameters of surrogate gradients in old files, an exponent without effect."""

READERS = {
    "input": LayerReader(_read_input, frozenset({"type", "shape"})),
    "flatten": LayerReader(_read_flatten, frozenset({"type", "shape"})),
    "dense": LayerReader(
        _read_dense,
        frozenset({"type", "shape", "inFeatures", "outFeatures", "weight", "bias", "delay"})
        | _NEURON_KNOWN
        | _NEURON_IGNORED,
    ),
}
