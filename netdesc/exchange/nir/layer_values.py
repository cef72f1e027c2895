"""The numbers of a layer as real ones: those that the device holds, or unquantised ones."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.layers.fields import Quantization
from netdesc.graph import SynapticNode
from netdesc.hardware import Weights, layer_integers
from netdesc.hardware.integers import Integers, read_values, recurrent_integers
from netdesc.kernels.fixed_point import DECAY_ONE, MAX_BIAS, STATE_UNIT, WEIGHT_UNIT
from netdesc.neurons.models.integrator import IDENTITY


@dataclass(frozen=True, eq=False)
class LayerValues:
    """The values of a layer that NIR needs, in threshold units.

    ``weight`` is float32, as in the layer. ``parameters`` are the integers of ``LayerIntegers``.
    ``bias`` [channels] acts on the voltage. ``input_scale`` multiplies what arrives at the neurons.
    """

    weight: NDArray[np.float32]
    parameters: dict[str, NDArray[Any]]
    bias: NDArray[np.float32] | None
    delays: Integers | None
    has_no_neuron: bool
    input_scale: float = 1.0

    @property
    def threshold(self) -> NDArray[np.float64]:
        return np.asarray(self.parameters["threshold"] / WEIGHT_UNIT)

    @property
    def input_bias(self) -> NDArray[np.float32] | None:
        """The bias as one of what arrives; None if that is not the same, or there is none."""
        is_immediate = np.all(self.parameters.get("current_decay", DECAY_ONE) == DECAY_ONE)
        return self.bias if is_immediate else None


def layer_values(layer: SynapticNode, weights: Weights) -> LayerValues:
    """Returns the values of a layer. HardwareError if a parameter is NaN."""
    grid = layer
    if layer.bits is None:  # all but weights and bias are on the grid then, too
        section = layer.section.model_copy(update={"quantization": Quantization()})
        grid = replace(layer, section=section)
    integers = layer_integers(grid, weights)
    weight, bias = integers.weights[0] / WEIGHT_UNIT, integers.bias
    bias = None if bias is None else bias / WEIGHT_UNIT
    if layer.bits is None:
        weight = read_values(layer, weights, layer.weight_names[0])
        if layer.section.learns_bias:
            assert bias is not None
            learnt = np.clip(read_values(layer, weights, "neuron.bias"), -MAX_BIAS, MAX_BIAS)
            fine, coarse = (np.rint(learnt * unit) / unit for unit in (STATE_UNIT, WEIGHT_UNIT))
            bias = np.clip(fine + (bias - coarse), -MAX_BIAS, MAX_BIAS)
    factor = 2.0**-integers.exponent
    return LayerValues(
        weight=np.asarray(weight * factor, np.float32),
        parameters=integers.parameters,
        bias=None if bias is None else np.asarray(bias * factor, np.float32),
        delays=integers.delays,
        has_no_neuron=layer.section.neuron is None or layer.neuron == IDENTITY,
    )


def recurrent_values(layer: SynapticNode, weights: Weights) -> NDArray[np.float32]:
    """Returns the weights of a recurrent layer from its own spikes, [neurons, neurons]."""
    if layer.bits is not None:
        integers = recurrent_integers(layer, weights)
        assert integers is not None
        return np.asarray(integers.weights[0] / WEIGHT_UNIT, np.float32)
    assert layer.recurrent is not None
    return read_values(layer, weights, layer.recurrent.weight_names[0])
