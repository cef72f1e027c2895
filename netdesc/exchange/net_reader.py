"""Reads a ``.net`` file into its record, with one function per type of layer."""

import functools
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.layers import Shape
from netdesc.exchange import net_record, net_synapses
from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.hdf5_reader import Hdf5Group, open_net
from netdesc.exchange.net_neurons import FORMS, NO_NEURON, NUMBERS, NetNeuron
from netdesc.exchange.net_notes import (
    NEURON_CONSTANTS,
    LayerNotes,
    neuron_type,
    note_layer,
    refuse_unsupported,
)
from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.kernels.kernel_shape import KernelShape

MAX_PAIR = 1 << 16
"""The largest stride, padding, dilation and number of groups, the same as in a document."""

MAX_LAYERS = 1_000
"""The limit for the number of layers, the same as in a document."""


class ReadResult(NamedTuple):
    """The record of a file, and one warning for each dataset or property that it leaves out.

    ``notes`` are of each layer.
    """

    net: net_record.NetFile
    warnings: list[str]
    notes: list[LayerNotes]


def read_net(path: str | Path) -> ReadResult:
    """Reads a ``.net`` file. NetFileError if it is invalid, or has what netdesc does not read."""
    with open_net(path) as root:
        if root.has("node") and not root.has("layer"):
            raise NetFileError(path, "this is a NIR file: give it a name that ends in .nir")
        layers = root.group("layer")
        groups = [layers.group(str(index), layer=index) for index in _indices(layers)]
        types = [group.text("type") for group in groups]
        refuse_unsupported(path, groups)
        records: list[net_record.NetLayer] = []
        for kind, group in zip(types, groups, strict=True):
            shape = records[-1].output_shape if records else None
            try:
                records.append(READERS[kind][0](group, shape))
            except LayerError as error:
                raise group.error(error.dataset, error.problem) from error
        net = net_record.NetFile(tuple(records), _read_simulation(root))
        rows = enumerate(zip(types, groups, net.layers, strict=True))
        notes = [
            note_layer(group, layer, READERS[kind][1], is_first=not index)
            for index, (kind, group, layer) in rows
        ]
    warnings: list[str] = []
    for index, layer_notes in enumerate(notes):
        unknown = [f"{name} is not known and was not read" for name in layer_notes.unknown]
        warnings += [f"{path}: layer {index}: {text}" for text in (*unknown, *layer_notes.warnings)]
    return ReadResult(net, warnings, notes)


def _indices(layers: Hdf5Group) -> range:
    names = layers.names()
    if not 1 <= len(names) <= MAX_LAYERS:
        raise layers.error("", f"holds {len(names)} layers; 1 to {MAX_LAYERS} are read")
    if wrong := set(names) - {str(index) for index in range(len(names))}:
        raise layers.error(min(wrong), f"the layers are not numbered 0 to {len(names) - 1}")
    return range(len(names))


def _read_simulation(root: Hdf5Group) -> net_record.Simulation | None:
    group = root.group("simulation") if root.has("simulation") else None
    if group is None or not (group.has("Ts") or group.has("tSample")):
        return None
    return net_record.Simulation(step_ms=group.number("Ts"), sample_ms=group.number("tSample"))


# Layers


def _read_shape(group: Hdf5Group) -> Shape:
    sizes = group.integers("shape")
    if sizes.ndim != 1 or not 1 <= sizes.size <= 8:
        raise group.error("shape", f"has shape {list(sizes.shape)}, not a list of sizes")
    if (sizes < 1).any():
        raise group.error("shape", f"is {sizes.tolist()}; sizes are positive")
    return tuple(int(size) for size in sizes)


def _pair(group: Hdf5Group, name: str, default: tuple[int, int]) -> tuple[int, int]:
    """Reads numbers for height and width; one number stands for both."""
    if not group.has(name):
        return default
    values = group.integers(name).reshape(-1)
    lowest = int(name != "padding")
    if values.size not in (1, 2) or not ((values >= lowest) & (values <= MAX_PAIR)).all():
        what = f"{name} is one or two numbers from {lowest} to {MAX_PAIR}"
        raise group.error(name, f"is {values.tolist()[:8]}; {what}")
    return int(values[0]), int(values[-1])


def _read_input(
    group: Hdf5Group, _before: Shape | None
) -> net_record.InputLayer | net_synapses.InputNeurons:
    shape = _read_shape(group)
    if not group.has("neuron"):
        return net_record.InputLayer(shape)
    neuron = _read_neuron(group, shape[0])
    if neuron.type == "SDNN":
        neuron = replace(neuron, is_delta=True)
    numbers = group.integer("weight", WEIGHT_UNIT), group.integer("bias", 0)
    weights = tuple(np.array([number], np.int32) for number in numbers)
    return net_synapses.InputNeurons(weights, neuron, input_shape=shape)


def _read_average(group: Hdf5Group, before: Shape | None) -> net_record.AverageLayer:
    if before is None:
        raise group.error("type", "is average, but the first layer cannot be")
    return net_record.AverageLayer(math.prod(before), math.prod(_read_shape(group)))


def _read_dense(group: Hdf5Group, _before: Shape | None) -> net_synapses.DenseLayer:
    outputs = math.prod(_read_shape(group))
    neuron = _read_neuron(group, outputs)
    datasets = ("weight/real", "weight/imag") if neuron.form.is_complex else ("weight",)
    weights = tuple(_dense_weight(group, name, outputs) for name in datasets)
    outputs, inputs = weights[0].shape
    _require_sizes(group, outFeatures=outputs, inFeatures=inputs)
    return net_synapses.DenseLayer(weights, neuron, **_read_channels(group, outputs, inputs))


def _require_sizes(group: Hdf5Group, **sizes: int) -> None:
    for name, size in sizes.items():
        if group.integer(name, size) != size:
            raise group.error(name, f"is {group.integer(name)}, but the layer has {size}")


def _read_recurrent(group: Hdf5Group, before: Shape | None) -> net_synapses.RecurrentLayer:
    dense = _read_dense(group, before)
    weights = *dense.weights[:1], _dense_weight(group, "weight_rec", dense.outputs, dense.outputs)
    return net_synapses.RecurrentLayer(weights, dense.neuron, dense.bias, dense.delay)


def _read_kernel(kind: str, group: Hdf5Group, before: Shape | None) -> net_synapses.KernelLayer:
    shape = _read_shape(group)
    if len(shape) != 3:
        raise group.error("shape", f"is {list(shape)}, not [channels, height, width]")
    neuron = _read_neuron(group, shape[0])
    weight = _kernel_weight(kind, group, shape[0], before)
    kernel = weight.shape[2], weight.shape[3]
    groups = group.integer("groups", 1)
    if not 1 <= groups <= MAX_PAIR:
        raise group.error("groups", f"is {groups}; it is 1 to {MAX_PAIR}")
    slides = {
        "stride": _pair(group, "stride", (1, 1) if kind.startswith("conv") else kernel),
        "padding": _pair(group, "padding", (0, 0)),
        "dilation": _pair(group, "dilation", (1, 1)),
    }
    if _pair(group, "kernelSize", kernel) != kernel:
        raise group.error("kernelSize", f"does not fit the weight, whose kernel is {list(kernel)}")
    channels = {"conv": weight.shape[1] * groups, "convT": weight.shape[0]}.get(kind, shape[0])
    _require_sizes(group, inChannels=channels, outChannels=shape[0])
    more: dict[str, Any] = {"kind": kind, "output_shape": shape, "groups": groups, **slides}
    if before is None:
        gathers = kind in ("conv", "pool")
        turned = KernelShape(**slides, output_padding=(0, 0), groups=1, is_transposed=gathers)
        sizes = turned.output_size((shape[1], shape[2]), kernel)
        before = (channels, *(max(1, each) for each in sizes))
    elif kind == "pool" and (slides["padding"], slides["stride"]) == ((0, 0), kernel):
        ends = _missing_ends(before, shape, kernel)
        if any(ends):
            more |= {"kind": "conv", "groups": shape[0], "padding": ends, "is_pool": True}
            padded = np.pad(weight, ((0, 0), (0, 0), *((end, 0) for end in ends)))
            weight = padded.repeat(shape[0], axis=0)
    return net_synapses.KernelLayer(
        (weight,), neuron, **_read_channels(group, shape[0]), input_shape=before, **more
    )


def _missing_ends(before: Shape, shape: Shape, kernel: tuple[int, int]) -> tuple[int, int]:
    """Returns the rows and columns that slayer adds at the end so that the windows of a pool fit.

    Returns 0, 0 if that does not explain the shape. A convolution whose kernel begins with as many
    rows and columns of zeros adds them at both ends.
    """
    sizes = zip(shape[1:], kernel, before[1:], strict=False)
    missing = [count * size - axis for count, size, axis in sizes]
    fits = all(0 <= each < size for each, size in zip(missing, kernel, strict=False))
    return (missing[0], missing[1]) if fits and len(missing) == 2 else (0, 0)


def _read_channels(
    group: Hdf5Group, channels: int, inputs: int = 0
) -> dict[str, NDArray[np.int32]]:
    """Reads what a layer has one number a channel of, in any shape, or one for all channels. Delays
    that are all 0 are none. One delay of a dense layer with one input is of this input."""
    names = filter(group.has, ("bias", "delay"))
    found = {name: group.integers(name).reshape(-1) for name in names}
    if "delay" in found and not found["delay"].any():
        del found["delay"]
    return {
        name: values.repeat(channels)
        if values.size == 1 and not (name == "delay" and inputs == 1)
        else values
        for name, values in found.items()
    }


def _dense_weight(
    group: Hdf5Group, path: str, outputs: int, inputs: int | None = None
) -> NDArray[np.int32]:
    group, name = group.split(path)
    weight = group.integers(name)
    if inputs is None:
        is_table = weight.size % outputs and weight.ndim > 1
        inputs = int(weight.shape[1]) if is_table else weight.size // outputs
    shape = outputs, inputs
    if weight.size and weight.shape == (math.prod(shape),):
        return weight.reshape(shape)
    return _fit(group, name, weight, shape)


def _kernel_weight(
    kind: str, group: Hdf5Group, outputs: int, before: Shape | None
) -> NDArray[np.int32]:
    weight = group.integers("weight")
    if weight.ndim == 4:
        return weight
    inputs, _, *sizes = *weight.shape, 1, 1, 1, 1
    kernel = _pair(group, "kernelSize", (sizes[0], sizes[1]))
    first = {"conv": outputs, "convT": before[0] if before else inputs}.get(kind, 1)
    second = weight.size // max(1, first * math.prod(kernel))
    return _fit(group, "weight", weight, (first, second, *kernel))


def _fit(group: Hdf5Group, name: str, weight: NDArray[np.int32], shape: Shape) -> NDArray[np.int32]:
    """Returns the weight with the ``shape``, which may differ in axes of length 1. slayerPytorch
    leaves such axes out of some files, and adds some in others."""
    if [size for size in weight.shape if size != 1] != [size for size in shape if size != 1]:
        needed = ", ".join(str(size or "inputs") for size in shape)
        raise group.error(name, f"has shape {list(weight.shape)}; [{needed}] is needed")
    return weight.reshape(shape)


def _read_neuron(layer: Hdf5Group, outputs: int) -> NetNeuron:
    if not layer.has("neuron"):
        return NO_NEURON
    group = layer.group("neuron")
    kind = neuron_type(group)
    form = FORMS[kind]
    numbers = {name: _read_number(group, name, outputs) for name in form.numbers}
    if any(values.ndim for values in numbers.values()):
        numbers = {
            name: np.broadcast_to(values, outputs) if NUMBERS[name].can_differ else values
            for name, values in numbers.items()
        }
    activation = group.text("activation") if kind == "SDNN" else ""
    neuron = NetNeuron(kind, numbers, activation, is_sum=group.integer("sigma_output", 0) != 0)
    is_graded = "gradedSpike" in form.constants and group.integer("gradedSpike", 0)
    return replace(neuron, is_graded=True) if is_graded and not neuron.is_readout else neuron


def _read_number(neuron: Hdf5Group, name: str, outputs: int) -> NDArray[np.int32]:
    """Reads numbers; returns [outputs], or a scalar array if all neurons share one value."""
    if not NUMBERS[name].can_differ:
        return np.array(neuron.integer(name), np.int32)
    values = neuron.integers(name)
    if values.size not in (1, outputs):
        raise neuron.error(name, f"has shape {list(values.shape)}; the layer has {outputs} neurons")
    return values.reshape(() if values.size == 1 else -1)


_NEURON = {"type", "activation", "sigma_output", "gradedSpike", *NUMBERS, *NEURON_CONSTANTS}
_IGNORED = ("tauRho", "scaleRho", "theta", "weight_exp")
"""Ignored datasets: parameters of surrogate gradients in old files, and an exponent, of which a
warning tells."""

_SHAPE = {"type", "shape"}
_SYNAPSES = _SHAPE | {"weight", "bias", *(f"neuron/{name}" for name in (*_NEURON, *_IGNORED))}
_DENSE = _SYNAPSES | {"delay", "inFeatures", "outFeatures"}
_POOL = _SYNAPSES | {"delay", "kernelSize", "stride", "padding", "dilation"}
_CONV = _POOL | {"inChannels", "outChannels", "groups"}

READERS: dict[
    str, tuple[Callable[[Hdf5Group, Shape | None], net_record.NetLayer], AbstractSet[str]]
] = {
    "input": (_read_input, _SYNAPSES),
    "flatten": (lambda group, _: net_record.FlattenLayer(math.prod(_read_shape(group))), _SHAPE),
    "average": (_read_average, _SHAPE),
    "dense": (_read_dense, _DENSE),
    "dense_rec": (_read_recurrent, _DENSE | {"weight_rec"}),
    **{
        kind: (functools.partial(_read_kernel, kind), _CONV if kind.startswith("conv") else _POOL)
        for kind in net_synapses.KERNEL_SECTIONS
    },
}
"""Type of a layer -> the function that reads it, and its datasets that cause no warning.

The function also gets the output shape of the layer before; None for the first layer.
"""
