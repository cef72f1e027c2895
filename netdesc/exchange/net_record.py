"""The record of a ``.net`` file: its layers as plain integers, used by import and export."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

from netdesc.description.models.document import MAX_STEP_MS, MAX_STEPS
from netdesc.description.models.layers import Shape
from netdesc.exchange import net_synapses
from netdesc.exchange.errors import LayerError
from netdesc.exchange.net_synapses import FirstLayer


@dataclass(frozen=True)
class InputLayer(FirstLayer):
    """Holds the shape of the input; computes nothing. Only the first layer can be of this type."""

    input_shape: Shape


@dataclass(frozen=True)
class FlattenLayer(net_synapses.OneAxis):
    """Flattens its input in row-major order, without delay."""

    kind: ClassVar[str] = "flatten"
    inputs: int

    def __post_init__(self) -> None:
        most = net_synapses.MAX_INPUTS
        if not 1 <= self.inputs <= most:
            raise LayerError("shape", f"has {self.inputs} neurons; it is 1 to {most}")

    @property
    def outputs(self) -> int:
        return self.inputs


@dataclass(frozen=True)
class AverageLayer(net_synapses.OneAxis):
    """Hands on the means of ``outputs`` groups of consecutive neurons, without delay."""

    kind: ClassVar[str] = "average"
    reads_one_axis: ClassVar[bool] = True
    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        if self.inputs % self.outputs:
            problem = f"has {self.outputs} groups, which do not divide {self.inputs} neurons"
            raise LayerError("shape", problem)


NetLayer = InputLayer | FlattenLayer | AverageLayer | net_synapses.NeuronLayer


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
            rule = f"a sample is 1 to {MAX_STEPS:,} steps of {self.step_ms:g} ms"
            raise LayerError("simulation/tSample", f"is {self.sample_ms:g} ms; {rule}")

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
        for index, (before, layer) in enumerate(itertools.pairwise(self.layers), start=1):
            _check_input(index, layer, before)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The network's input shape.

        If a dense layer reads the input, it has one axis, the number of input neurons. Otherwise
        this is the shape of the input layer, or of what the first layer reads.
        """
        shape, is_first = self.layers[0].input_shape, isinstance(self.layers[0], FirstLayer)
        reader = self.layers[: 1 + is_first][-1]
        return (math.prod(shape),) if reader.reads_one_axis else shape

    @property
    def neuron_layers(self) -> list[tuple[int, net_synapses.NeuronLayer]]:
        """(Index in the file, layer) of each layer that has synapses and neurons."""
        rows, kind = enumerate(self.layers), net_synapses.SynapticLayer
        return [(index, layer) for index, layer in rows if isinstance(layer, kind)]


def _check_input(index: int, layer: NetLayer, before: NetLayer) -> None:
    if isinstance(layer, FirstLayer):
        raise LayerError("type", "is input, but only the first layer can be", index)
    if layer.inputs != before.outputs:
        problem = f"is for {layer.inputs} inputs, but the layer before has {before.outputs} neurons"
        raise LayerError(layer.size_dataset, problem, index)
    is_flat = isinstance(before, FirstLayer)
    if isinstance(before, net_synapses.SynapticLayer) and before.outputs != before.channels:
        is_flat = is_flat and not any(array.ndim for array in before.neuron.numbers.values())
    if layer.reads_one_axis and len(before.output_shape) > 1 and not is_flat:
        problem = f"reads {list(before.output_shape)}; a flatten layer is needed before it"
        raise LayerError("", problem, index)
