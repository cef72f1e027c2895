"""Layers of a ``.net`` file that have synapses and neurons, as plain integers."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from netdesc.description.models import layers
from netdesc.description.models.layers import Shape, ShapeError
from netdesc.description.models.layers.fields import MAX_DELAY
from netdesc.exchange.errors import LayerError, require
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.graph.nodes import WEIGHT_NAMES
from netdesc.hardware.integers import BIAS_LIMIT, Integers
from netdesc.kernels.fixed_point import WEIGHT_UNIT, weight_limits

MIN_WEIGHT, MAX_WEIGHT = weight_limits(8)
MAX_AXIS_SIZE = 1 << 20
"""The largest number of neurons of a dense layer, and the largest size of an axis of the input."""
MAX_INPUTS = 1 << 24


class FileLayer:
    """A layer of a file."""

    size_dataset: ClassVar[str] = "shape"
    reads_one_axis: ClassVar[bool] = False
    """Whether the layer's input has one axis, the neurons of the layer before."""


class OneAxis(FileLayer):
    """A layer whose input and output have one axis."""

    inputs: Any
    outputs: Any

    @property
    def input_shape(self) -> Shape:
        return (self.inputs,)

    @property
    def output_shape(self) -> Shape:
        return (self.outputs,)


class Shaped(FileLayer):
    """A layer whose input and output have shapes."""

    input_shape: Any
    output_shape: Any

    @property
    def inputs(self) -> int:
        return math.prod(self.input_shape)

    @property
    def outputs(self) -> int:
        return math.prod(self.output_shape)


class FirstLayer(Shaped):
    """The input layer of a file, which reads no other layer. LayerError if it is too large."""

    kind: ClassVar[str] = "input"

    def __post_init__(self) -> None:
        shape = self.input_shape
        if not shape or any(not 1 <= size <= MAX_AXIS_SIZE for size in shape):
            raise LayerError("shape", f"is {list(shape)}; sizes are 1 to {MAX_AXIS_SIZE}")
        if math.prod(shape) > MAX_INPUTS:
            raise LayerError("shape", f"is {list(shape)}, more than {MAX_INPUTS} neurons")

    @property
    def output_shape(self) -> Shape:
        return self.input_shape


@dataclass(frozen=True, eq=False)
class SynapticLayer(Shaped):
    """Synapses into neurons, with one step of axonal delay behind spikes.

    ``weights`` hold even integers from -256 to 254; there are two of them, real and imaginary, if
    the form of the neurons is complex. ``bias`` and ``delay``, further steps of the output, are
    [channels], or None; the channels of a dense layer are its neurons. If a dense layer's ``delay``
    is [inputs], and that is another number, it is further steps of what arrives. LayerError if a
    number is out of range.
    """

    weights: tuple[Integers, ...]
    neuron: NetNeuron
    bias: Integers | None = None
    delay: Integers | None = None

    @property
    def channels(self) -> int:
        return self.output_shape[0]

    def check(self) -> None:
        for dataset, weight in zip(self.weight_datasets, self.weights, strict=True):
            is_valid = (weight >= MIN_WEIGHT) & (weight <= MAX_WEIGHT) & (weight % 2 == 0)
            rule = f"weights are even integers from {MIN_WEIGHT} to {MAX_WEIGHT}"
            require(dataset, weight, is_valid, rule)
        self.neuron.check(self.channels)
        limits = {"bias": (-BIAS_LIMIT, BIAS_LIMIT), "delay": (0, MAX_DELAY)}
        for name, (lowest, highest) in limits.items():
            values: Integers | None = getattr(self, name)
            if values is None:
                continue
            if values.shape != (self.channels,) and not (name == "delay" and self.delays_inputs):
                needed = f"the layer has {self.channels} neurons, so [{self.channels}] is needed"
                raise LayerError(name, f"has shape {list(values.shape)}; {needed}")
            is_valid = (values >= lowest) & (values <= highest)
            require(name, values, is_valid, f"it is {lowest} to {highest}")

    @property
    def delays_inputs(self) -> bool:
        """Whether ``delay`` is of what arrives."""
        if self.delay is None or not self.reads_one_axis:
            return False
        return self.delay.shape == self.input_shape != self.output_shape

    @property
    def weight_datasets(self) -> tuple[str, ...]:
        return ("weight/real", "weight/imag") if self.neuron.form.is_complex else ("weight",)

    @property
    def weight_names(self) -> tuple[str, ...]:
        """The names of ``state_weights`` in the state dict of a layer."""
        return WEIGHT_NAMES[len(self.state_weights)]

    @property
    def state_weights(self) -> tuple[Integers, ...]:
        """The weights in the layout of a network's state dict."""
        return self.weights


@dataclass(frozen=True, eq=False)
class InputNeurons(FirstLayer, SynapticLayer):
    """The input layer of a file with neurons, one for each value of the input.

    ``weights`` are [1] and [1]: the factor on a value, and the number that is added to it. The
    neurons hand on their output without axonal delay, as in netx; slayer delays spikes by one step.
    Delays of what arrives at a dense layer are in a document such a layer, without neurons.
    """

    section_type: ClassVar[str] = "neurons"

    input_shape: Shape = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the layer's section, with those that have defaults only if they differ."""
        weight, bias = (float(each.item()) / WEIGHT_UNIT for each in self.weights)
        return {"weight": weight, "bias": bias, "axonal_delay_step": False}

    @property
    def only_delays(self) -> bool:
        """Whether the layer hands on what arrives, later."""
        numbers = [each.item() for each in self.weights]
        return self.delay is not None and numbers == [WEIGHT_UNIT, 0] and self.neuron.hands_on

    @property
    def weight_datasets(self) -> tuple[str, ...]:
        return "weight", "bias"

    @property
    def state_weights(self) -> tuple[Integers, ...]:
        return (np.concatenate(self.weights),)


@dataclass(frozen=True, eq=False)
class DenseLayer(SynapticLayer):
    """Fully connected synapses into neurons. ``weights`` are [outputs, inputs]."""

    kind: ClassVar[str] = "dense"
    section_type: ClassVar[str] = "dense"
    reads_one_axis: ClassVar[bool] = True
    size_dataset: ClassVar[str] = "weight"

    def __post_init__(self) -> None:
        for dataset, weight in zip(self.weight_datasets, self.weights, strict=True):
            self._check_shape(dataset, weight)
        self.check()

    def _check_shape(self, dataset: str, weight: Integers) -> None:
        shape, first = list(weight.shape), self.weights[0]
        if weight.ndim != 2 or 0 in weight.shape:
            raise LayerError(dataset, f"has shape {shape}, not [outputs, inputs]")
        if weight.shape[0] > MAX_AXIS_SIZE or weight.shape[1] > MAX_INPUTS:
            raise LayerError(dataset, f"has shape {shape}, which is too large")
        if weight.shape != first.shape:
            raise LayerError(dataset, f"has shape {shape}; the real part has {first.shape}")

    @property
    def fields(self) -> dict[str, Any]:
        return {"units": self.outputs}

    @property
    def input_shape(self) -> Shape:
        return self.weights[0].shape[1:]

    @property
    def output_shape(self) -> Shape:
        return self.weights[0].shape[:1]


@dataclass(frozen=True, eq=False)
class RecurrentLayer(DenseLayer):
    """A dense layer with weights from its own spikes one step later.

    ``weights`` are [outputs, inputs], and [outputs, outputs] from the own spikes.
    """

    kind: ClassVar[str] = "dense_rec"
    section_type: ClassVar[str] = "recurrent"

    def __post_init__(self) -> None:
        if self.neuron.type not in ("CUBA", "ALIF") or self.neuron.is_readout:
            problem = "is recurrent, and its neurons are neither CUBA nor ALIF"
            raise LayerError("", problem, hint="train with neurons such as cuba, or a dense layer")
        super().__post_init__()

    def _check_shape(self, dataset: str, weight: Integers) -> None:
        if dataset == "weight":
            super()._check_shape(dataset, weight)
        elif weight.shape != (self.outputs, self.outputs):
            needed = f"[{self.outputs}, {self.outputs}] is needed"
            raise LayerError(dataset, f"has shape {list(weight.shape)}; {needed}")

    @property
    def weight_datasets(self) -> tuple[str, ...]:
        return "weight", "weight_rec"

    @property
    def weight_names(self) -> tuple[str, ...]:
        return "synapse.weight", "recurrent.weight"


KERNEL_SECTIONS: dict[str, type[layers.KernelSection]] = {
    "conv": layers.Conv,
    "convT": layers.ConvTranspose,
    "pool": layers.SumPool,
    "unpool": layers.Upsample,
}
"""Type of a layer with a kernel in files -> the class of its section."""


@dataclass(frozen=True, eq=False)
class KernelLayer(SynapticLayer):
    """A kernel that slides over height and width. ``input_shape`` and ``output_shape`` are
    [channels, height, width].

    ``weights`` are [out, in / groups, height, width] in ``conv``, [in, out / groups, height, width]
    in ``convT``, and [1, 1, height, width] in ``pool`` and ``unpool``, all equal. LayerError also
    if the shapes do not fit. ``is_pool`` says of ``conv`` that the file has a pool of this kernel.
    """

    kind: str = field(kw_only=True)
    input_shape: Shape = field(kw_only=True)
    output_shape: Shape = field(kw_only=True)
    stride: tuple[int, int] = field(kw_only=True, default=(1, 1))
    padding: tuple[int, int] = field(kw_only=True, default=(0, 0))
    dilation: tuple[int, int] = field(kw_only=True, default=(1, 1))
    groups: int = field(kw_only=True, default=1)
    is_pool: bool = field(kw_only=True, default=False)

    def __post_init__(self) -> None:
        weight = self.weights[0]
        if weight.ndim != 4 or 0 in weight.shape:
            raise LayerError("weight", f"has shape {list(weight.shape)}, which has not four axes")
        if self.has_one_weight and (weight.shape[:2] != (1, 1) or (weight != weight.flat[0]).any()):
            raise LayerError("weight", f"of {self.kind} layers is one number for all of the kernel")
        try:
            fields = {"name": "a", "type": self.section_type, "neuron": "n", **self.fields}
            section = KERNEL_SECTIONS[self.kind].model_validate(fields)
            shape = section.output_shape(self.input_shape)
        except ShapeError as error:
            raise LayerError("shape", f"does not fit: the layer {error}") from error
        needed = section.weight_shape(self.input_shape)
        if shape != self.output_shape:
            problem = f"is {list(self.output_shape)}; {list(shape)} follows from the kernel"
            raise LayerError("shape", f"{problem} and an input of {list(self.input_shape)}")
        if self.state_weights[0].shape != needed:
            problem = f"has shape {list(weight.shape)}, which does not fit {self.groups} groups"
            raise LayerError("weight", f"{problem} of {self.input_shape[0]} channels")
        self.check()

    @property
    def section_type(self) -> str:
        return KERNEL_SECTIONS[self.kind].type_name()

    @property
    def has_one_weight(self) -> bool:
        return not KERNEL_SECTIONS[self.kind].draws_weights

    @property
    def fields(self) -> dict[str, Any]:
        kernel = self.weights[0].shape[2], self.weights[0].shape[3]
        values: dict[str, Any] = {"kernel": kernel, "stride": self.stride, "padding": self.padding}
        defaults: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0)}
        if self.has_one_weight:
            defaults["stride"] = kernel
        else:
            values = {"channels": self.channels, **values}
            values |= {"dilation": self.dilation, "groups": self.groups}
            values["trainable"] = not self.is_pool
            defaults |= {"dilation": (1, 1), "groups": 1, "trainable": True}
        kept = {name: each for name, each in values.items() if each != defaults.get(name)}
        pairs = {name: each for name, each in kept.items() if isinstance(each, tuple)}
        return kept | {name: each[0] for name, each in pairs.items() if each[0] == each[1]}

    @property
    def state_weights(self) -> tuple[Integers, ...]:
        if self.has_one_weight:
            return tuple(weight.reshape(-1)[:1] for weight in self.weights)
        if self.kind == "conv":
            return self.weights
        return tuple(swap_channels(weight, self.groups) for weight in self.weights)


NeuronLayer = InputNeurons | DenseLayer | KernelLayer


def swap_channels(weight: Integers, groups: int) -> Integers:
    """Exchanges the channels of input and output, [in, out / groups, …] and [out, in / groups, …].

    Returns the weight unchanged if its first axis does not divide into the groups.
    """
    if weight.shape[0] % groups:
        return weight
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    return grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *weight.shape[2:])
