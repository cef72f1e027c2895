"""Layers of neurons that read one value each."""

import math
from typing import Literal

from netdesc.description.models.layers.base import DEVICE_LIMITS, Shape, SynapticSection
from netdesc.sections import field


class Neurons(SynapticSection):
    """One neuron for each value that comes in, times one weight, plus one bias.

    The input of the network is rounded to the grid of the device's weights, as slayer's Input block
    does.
    """

    is_elementwise = True
    draws_weights = False
    decays_weights = False
    input_limits = DEVICE_LIMITS
    fields_of_own_weights = ("weight_init", "mask", "weight_scale", "weight_norm")

    type: Literal["neurons"]
    weight: float = field("Initial factor on what comes in.", unit="1", default=1.0, ge=-4, le=4)
    weight_scale: float = field(  # pyright: ignore[reportIncompatibleVariableOverride]
        "Has no effect: weight is the initial factor.", unit="1", default=1.0, gt=0, le=1e6
    )
    # In other layers, bias is a flag. Here it is a number, the second of the layer's weights.
    bias: float = field(  # pyright: ignore[reportIncompatibleVariableOverride]
        "Initial number that is added to the input.", unit="1", default=0.0, ge=-4, le=4
    )

    @property
    def learns_bias(self) -> bool:
        return False

    @property
    def given_weights(self) -> tuple[float, ...]:
        return self.weight, self.bias

    def weight_shape(self, shape: Shape) -> Shape:
        return (2,)

    def synapses(self, shape: Shape) -> int:
        return math.prod(shape)
