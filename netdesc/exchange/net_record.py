"""The record of a ``.net`` file: its layers as plain integers, used by import and export."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netdesc.description.models.document import MAX_STEP_MS, MAX_STEPS
from netdesc.exchange.errors import LayerError, require
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import weight_limits

MIN_WEIGHT, MAX_WEIGHT = weight_limits(8)
MAX_BIAS = 1 << 17
MAX_AXIS_SIZE = 1 << 20
"""The largest number of neurons of a layer, and the largest size of an axis of the input."""
MAX_INPUTS = 1 << 24


@dataclass(frozen=True)
class InputLayer:
    """Holds the shape of the input; computes nothing. Only the first layer can be of this type."""

    kind: ClassVar[str] = "input"
    inputs: ClassVar[None] = None
    input_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.input_shape or any(not 1 <= size <= MAX_AXIS_SIZE for size in self.input_shape):
            raise LayerError(
                "shape", f"is {list(self.input_shape)}; sizes are 1 to {MAX_AXIS_SIZE}"
            )
        if self.outputs > MAX_INPUTS:
            raise LayerError(
                "shape", f"is {list(self.input_shape)}, more than {MAX_INPUTS} neurons"
            )

    @property
    def outputs(self) -> int:
        return math.prod(self.input_shape)


@dataclass(frozen=True)
class FlattenLayer:
    """Flattens its input to ``size`` neurons in row-major order, without delay."""

    kind: ClassVar[str] = "flatten"
    size_dataset: ClassVar[str] = "shape"
    size: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_INPUTS:
            raise LayerError("shape", f"has {self.size} neurons; it is 1 to {MAX_INPUTS}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def inputs(self) -> int:
        return self.size

    @property
    def outputs(self) -> int:
        return self.size


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """Fully connected synapses into neurons, with one step of axonal delay behind spikes.

    ``weights`` [outputs, inputs] hold even integers from -256 to 254; there are two of them, real
    and imaginary, if the form of the neurons is complex. ``bias`` is [outputs], or None. LayerError
    if a number is out of range.
    """

    kind: ClassVar[str] = "dense"
    size_dataset: ClassVar[str] = "weight"

    weights: tuple[Integers, ...]
    neuron: NetNeuron
    bias: Integers | None = None

    def __post_init__(self) -> None:
        first = self.weights[0]
        for dataset, weight in zip(self.weight_datasets, self.weights, strict=True):
            shape = list(weight.shape)
            if weight.ndim != 2 or 0 in weight.shape:
                raise LayerError(dataset, f"has shape {shape}, not [outputs, inputs]")
            if weight.shape[0] > MAX_AXIS_SIZE or weight.shape[1] > MAX_INPUTS:
                raise LayerError(dataset, f"has shape {shape}, which is too large")
            if weight.shape != first.shape:
                raise LayerError(dataset, f"has shape {shape}; the real part has {first.shape}")
            require(
                dataset,
                weight,
                (weight >= MIN_WEIGHT) & (weight <= MAX_WEIGHT) & (weight % 2 == 0),
                f"weights are even integers from {MIN_WEIGHT} to {MAX_WEIGHT}",
            )
        self.neuron.check(self.outputs)
        if self.bias is None:
            return
        if self.bias.shape != (self.outputs,):
            raise LayerError(
                "bias",
                f"has shape {list(self.bias.shape)}; the layer has {self.outputs} neurons, "
                f"so [{self.outputs}] is needed",
            )
        is_valid = np.abs(self.bias) <= MAX_BIAS
        require("bias", self.bias, is_valid, f"biases are -{MAX_BIAS} to {MAX_BIAS}")

    @property
    def weight_datasets(self) -> tuple[str, ...]:
        return ("weight/real", "weight/imag") if self.neuron.form.is_complex else ("weight",)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.inputs,)

    @property
    def inputs(self) -> int:
        return self.weights[0].shape[1]

    @property
    def outputs(self) -> int:
        return self.weights[0].shape[0]


NetLayer = InputLayer | FlattenLayer | DenseLayer

NEURON_LAYERS = (DenseLayer,)
"""Classes of the layers that have synapses and neurons."""


@dataclass(frozen=True)
class Simulation:
    """The length of a step and of a sample in milliseconds. Old files and netdesc's contain them.

    LayerError if a length is out of range, or if the sample has no step or too many.
    """

    step_ms: float
    sample_ms: float

    def __post_init__(self) -> None:
        if not 0 < self.step_ms <= MAX_STEP_MS:
            problem = f"is {self.step_ms:g} ms; a step is above 0 and at most {MAX_STEP_MS:,.0f} ms"
            raise LayerError("simulation/Ts", problem)
        if not 1 <= self._steps < MAX_STEPS + 1:
            raise LayerError(
                "simulation/tSample",
                f"is {self.sample_ms:g} ms; a sample is 1 to {MAX_STEPS:,} steps of "
                f"{self.step_ms:g} ms",
            )

    @property
    def steps(self) -> int:
        """The number of whole steps of a sample."""
        return int(self._steps)

    @property
    def _steps(self) -> float:
        """The number of steps, enlarged by the rounding error of a length in float32."""
        return self.sample_ms / self.step_ms * (1 + 2**-23)


@dataclass(frozen=True, eq=False)
class NetFile:
    """The layers of a file in their order. The input of each layer is the previous layer's output.

    LayerError if no layer has neurons, or if two layers do not fit together. In the second case,
    the error has the index of the later layer.
    """

    layers: tuple[NetLayer, ...]
    simulation: Simulation | None = None

    def __post_init__(self) -> None:
        if not self.neuron_layers:
            raise LayerError("", "there is no layer of neurons in it")
        size: int | None = None
        for index, layer in enumerate(self.layers):
            if layer.inputs is None:
                if index:
                    raise LayerError("type", "is input, but only the first layer can be", index)
            elif size not in (None, layer.inputs):
                problem = f"is for {layer.inputs} inputs, but the layer before has {size} neurons"
                raise LayerError(layer.size_dataset, problem, index)
            size = layer.outputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The network's input shape.

        If the file begins with an input layer and a flatten layer, this is the shape of the input
        layer. Otherwise it has one axis, the number of input neurons.
        """
        first = self.layers[0]
        reader = self.layers[1] if first.inputs is None else first
        shape = first.input_shape
        return shape if reader.kind == "flatten" else (math.prod(shape),)

    @property
    def neuron_layers(self) -> list[tuple[int, DenseLayer]]:
        """(Index in the file, layer) of each layer that has synapses and neurons."""
        return [
            (index, layer)
            for index, layer in enumerate(self.layers)
            if isinstance(layer, NEURON_LAYERS)
        ]
