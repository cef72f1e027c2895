"""What a ``.net`` file says, as plain integers: the form that import and export share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError
from netdesc.hardware.integers import DenseIntegers, Integers
from netdesc.kernels.fixed_point import DECAY_ONE, weight_limits

SMALLEST_WEIGHT, LARGEST_WEIGHT = weight_limits(8)
LARGEST_THRESHOLD = 1 << 23
"""In weight units: 64 times this is 64 times the largest state, a neuron that never spikes."""
LARGEST_BIAS = 1 << 17
LARGEST_SIZE = 1 << 20
"""Neurons of a layer, and of one axis of the input."""
LARGEST_INPUT = 1 << 24
"""Neurons of the input."""


@dataclass(frozen=True)
class InputLayer:
    """Gives the input's shape where that is more than a number of neurons. Computes nothing."""

    kind: ClassVar[str] = "input"
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.shape or any(not 1 <= size <= LARGEST_SIZE for size in self.shape):
            raise LayerError("shape", f"is {list(self.shape)}; sizes are 1 to {LARGEST_SIZE}")
        if math.prod(self.shape) > LARGEST_INPUT:
            raise LayerError("shape", f"is {list(self.shape)}, more than {LARGEST_INPUT} neurons")


@dataclass(frozen=True)
class FlattenLayer:
    """Row-major flattening to ``size`` neurons; no delay."""

    kind: ClassVar[str] = "flatten"
    size: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LARGEST_INPUT:
            raise LayerError("shape", f"says {self.size} neurons; it is 1 to {LARGEST_INPUT}")


@dataclass(frozen=True, eq=False)
class DenseLayer(DenseIntegers):
    """Fully connected synapses into CUBA neurons, with one step of axonal delay.

    ``weight`` holds even integers from -256 to 254. LayerError where its numbers are out of range.
    """

    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise LayerError(
                "weight", f"has shape {list(self.weight.shape)}, not [outputs, inputs]"
            )
        if self.outputs > LARGEST_SIZE or self.inputs > LARGEST_INPUT:
            raise LayerError("weight", f"has shape {list(self.weight.shape)}, which is too large")
        _require(
            "weight",
            self.weight,
            (self.weight >= SMALLEST_WEIGHT)
            & (self.weight <= LARGEST_WEIGHT)
            & (self.weight % 2 == 0),
            f"weights are even integers from {SMALLEST_WEIGHT} to {LARGEST_WEIGHT}",
        )
        self._check_decay("neuron/iDecay", self.current_decay)
        self._check_decay("neuron/vDecay", self.voltage_decay)
        if not 0 <= self.threshold <= LARGEST_THRESHOLD:
            raise LayerError(
                "neuron/vThMant", f"is {self.threshold}; it is 0 to {LARGEST_THRESHOLD}"
            )
        if self.bias is not None:
            self._check_shape("bias", self.bias)
            _require(
                "bias",
                self.bias,
                np.abs(self.bias) <= LARGEST_BIAS,
                f"biases are -{LARGEST_BIAS} to {LARGEST_BIAS}",
            )

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    def _check_decay(self, dataset: str, decay: Integers) -> None:
        if decay.ndim:
            self._check_shape(dataset, decay)
        _require(
            dataset, decay, (decay >= 0) & (decay <= DECAY_ONE), f"decays are 0 to {DECAY_ONE}"
        )

    def _check_shape(self, dataset: str, values: Integers) -> None:
        if values.shape != (self.outputs,):
            raise LayerError(
                dataset,
                f"has shape {list(values.shape)}; the layer has {self.outputs} neurons, "
                f"so [{self.outputs}] is needed",
            )


def _require(dataset: str, values: Integers, right: NDArray[np.bool_], rule: str) -> None:
    if right.all():
        return
    wrong = np.argwhere(~right)[0].tolist()
    place = f"{wrong} " if wrong else ""
    raise LayerError(dataset, f"{place}is {values[tuple(wrong)]}; {rule}")


NetLayer = InputLayer | FlattenLayer | DenseLayer


@dataclass(frozen=True)
class Simulation:
    """Time as old files give it: length of a step and of a sample, in milliseconds."""

    step_ms: int
    sample_ms: int


@dataclass(frozen=True, eq=False)
class NetFile:
    """A chain of layers, in the order in which they run, numbered as in the file.

    LayerError (with ``layer`` set) where two layers do not fit together.
    """

    layers: tuple[NetLayer, ...]
    simulation: Simulation | None = None

    def __post_init__(self) -> None:
        if not any(isinstance(layer, DenseLayer) for layer in self.layers):
            raise LayerError("", "there is no layer of neurons in it")
        size: int | None = None
        for index, layer in enumerate(self.layers):
            try:
                size = _fit(index, layer, size)
            except LayerError as error:
                raise LayerError(error.dataset, error.problem, index) from error

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape that a flatten layer reads from an input layer; else a number of neurons."""
        first, *others = self.layers
        if isinstance(first, InputLayer):
            flattened = others and isinstance(others[0], FlattenLayer)
            return first.shape if flattened else (math.prod(first.shape),)
        return (first.size,) if isinstance(first, FlattenLayer) else (first.inputs,)

    @property
    def outputs(self) -> int:
        return next(
            layer.outputs for layer in reversed(self.layers) if isinstance(layer, DenseLayer)
        )


def _fit(index: int, layer: NetLayer, size: int | None) -> int:
    """Neurons after ``layer``, which reads ``size`` neurons (None: whatever it wants)."""
    if isinstance(layer, InputLayer):
        if index:
            raise LayerError("type", "is input, but only the first layer can be")
        return math.prod(layer.shape)
    if isinstance(layer, FlattenLayer):
        if size not in (None, layer.size):
            raise LayerError("shape", f"says {layer.size} neurons, but {size} come from before")
        return layer.size
    if size not in (None, layer.inputs):
        raise LayerError("weight", f"has {layer.inputs} inputs, but {size} come from before")
    return layer.outputs
