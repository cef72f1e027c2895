"""Reads a ``.net`` file into its record, with one function per type of layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.hdf5_reader import Group, escape_name, open_net
from netdesc.exchange.net_neurons import FORMS, NUMBERS, NetNeuron
from netdesc.exchange.net_record import (
    DenseLayer,
    FlattenLayer,
    InputLayer,
    NetFile,
    NetLayer,
    Simulation,
)
from netdesc.exchange.unsupported import (
    NEURON_CONSTANTS,
    find_unsupported,
    neuron_type,
    refuse,
)
from netdesc.kernels.fixed_point import DECAY_ONE

MAX_LAYERS = 1_000
"""The limit for the number of layers, the same as in a document."""


class ReadResult(NamedTuple):
    """The record of a file, and one warning for each dataset or property that it leaves out."""

    net: NetFile
    warnings: list[str]


def read_net(path: str | Path) -> ReadResult:
    """Reads a ``.net`` file.

    NetFileError if the file is invalid. The error names the file, the layer's index and the
    dataset. NetFileError, which names all of them, if the file has features that netdesc does not
    support.
    """
    with open_net(path) as root:
        if root.has("node") and not root.has("layer"):
            raise NetFileError(path, "this is a NIR file, and NIR is not in this version")
        layers = root.group("layer")
        groups = [layers.group(str(index), layer=index) for index in _indices(layers)]
        types = [group.text("type") for group in groups]
        refuse(
            path,
            [
                feature
                for index, group in enumerate(groups)
                for feature in find_unsupported(index, group, types[index] in READERS)
            ],
        )
        records = tuple(_read_layer(kind, group) for kind, group in zip(types, groups, strict=True))
        net = NetFile(records, _read_simulation(root))
        warnings = [
            f"{path}: layer {index}: {text}"
            for index, (kind, group) in enumerate(zip(types, groups, strict=True))
            for text in (*_warn_unknown_datasets(kind, group), *_warn_of_neuron(group))
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


def _read_layer(kind: str, group: Group) -> NetLayer:
    try:
        return READERS[kind].read(group)
    except LayerError as error:
        raise group.error(error.dataset, error.problem) from error


def _read_simulation(root: Group) -> Simulation | None:
    if not root.has("simulation"):
        return None
    group = root.group("simulation")
    if not (group.has("Ts") or group.has("tSample")):
        return None
    return Simulation(step_ms=group.number("Ts"), sample_ms=group.number("tSample"))


def _warn_unknown_datasets(kind: str, group: Group) -> Iterator[str]:
    known = READERS[kind].known
    names = group.names()
    paths = [name for name in names if name != "neuron"]
    if "neuron" in names:
        paths += [f"neuron/{name}" for name in group.group("neuron").names()]
    for name in paths:
        if name not in known:
            yield f"{escape_name(name)} is not known and was not read"


def _warn_of_neuron(group: Group) -> Iterator[str]:
    """Yields a warning if the trained neurons differ from the neurons that the file describes."""
    if not group.has("neuron"):
        return
    neuron = group.group("neuron")
    exponents = neuron.integers("weight_exp") if neuron.has("weight_exp") else np.zeros(1)
    if exponents.any():
        yield (
            f"neuron/weight_exp is {exponents[exponents != 0][0]:g}, so this file does not hold "
            "what was trained: a norm scaled the weights by this power of two, and the weights of "
            "the file leave it out"
        )
    if neuron.has("sigma_output"):
        yield (
            "neuron/sigma_output: the integrator cuts what arrives in a step to 1/4096; the sum of "
            "netx has 64 times finer units"
        )
    if neuron_type(neuron) == "ALIF" and group.has("bias"):
        decays = neuron.integers("iDecay")
        if (decays < DECAY_ONE).any():
            yield (
                f"bias is added to the voltage; slayer added it to the input, which is not the "
                f"same where neuron/iDecay is below {DECAY_ONE}"
            )


# Layers


@dataclass(frozen=True)
class LayerReader:
    """The function that reads layers of one type, and the names of their known datasets.

    ``known`` includes datasets that are ignored. Each other dataset of a layer causes a warning.
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
    return InputLayer(_sizes(group, "shape"))


def _read_flatten(group: Group) -> FlattenLayer:
    return FlattenLayer(math.prod(_sizes(group, "shape")))


def _read_dense(group: Group) -> DenseLayer:
    outputs = math.prod(_sizes(group, "shape"))
    neuron = _read_neuron(group.group("neuron"), outputs)
    datasets = ("weight/real", "weight/imag") if neuron.form.is_complex else ("weight",)
    weights = tuple(_dense_weight(group, name, outputs) for name in datasets)
    weight = weights[0]
    for name, size in (("outFeatures", weight.shape[0]), ("inFeatures", weight.shape[1])):
        if group.has(name) and group.integer(name) != size:
            raise group.error(name, f"is {group.integer(name)}, but the weight is for {size}")
    bias = group.integers("bias") if group.has("bias") else None
    return DenseLayer(weights, neuron, bias)


def _dense_weight(group: Group, path: str, outputs: int) -> NDArray[np.int32]:
    """Reads the weight; returns [outputs, inputs].

    In the file, the weight may also be one-dimensional, or have further axes of length 1 at the
    end. NetFileError for other shapes.
    """
    folder, _, name = path.rpartition("/")
    group = group.group(folder) if folder else group
    weight = group.integers(name)
    if weight.ndim == 1 and weight.size and weight.size % outputs == 0:
        return weight.reshape(outputs, -1)
    while weight.ndim > 2 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim != 2 or len(weight) != outputs:
        raise group.error(name, f"has shape {list(weight.shape)}; [{outputs}, inputs] is needed")
    return weight


def _read_neuron(group: Group, outputs: int) -> NetNeuron:
    kind = neuron_type(group)
    form = FORMS[kind]
    numbers = {name: _read_number(group, name, outputs) for name in form.numbers}
    if any(values.ndim for values in numbers.values()):
        numbers = {
            name: np.broadcast_to(values, outputs) if NUMBERS[name].can_differ else values
            for name, values in numbers.items()
        }
    is_sum = group.has("sigma_output") and group.integer("sigma_output") != 0
    activation = group.text("activation") if kind == "SDNN" else ""
    return NetNeuron(kind, numbers, activation, is_sum)


def _read_number(neuron: Group, name: str, outputs: int) -> NDArray[np.int32]:
    """Reads numbers; returns [outputs], or a scalar array if all neurons share one value."""
    if not NUMBERS[name].can_differ:
        return np.array(neuron.integer(name), np.int32)
    values = neuron.integers(name)
    if values.size not in (1, outputs):
        raise neuron.error(name, f"has shape {list(values.shape)}; the layer has {outputs} neurons")
    return values.reshape(() if values.size == 1 else -1)


_NEURON_KNOWN = frozenset(
    f"neuron/{name}" for name in ("type", "activation", "sigma_output", *NUMBERS, *NEURON_CONSTANTS)
)
_NEURON_IGNORED = frozenset(
    f"neuron/{name}" for name in ("tauRho", "scaleRho", "theta", "weight_exp")
)
"""Ignored datasets: parameters of surrogate gradients in old files, and an exponent, of which a
warning tells."""

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
