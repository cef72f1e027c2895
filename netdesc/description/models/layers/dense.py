"""Layers in which every input reaches every neuron."""

from __future__ import annotations

from typing import Literal

from netdesc.description.models.layers.base import Shape, ShapeError, SynapticSection
from netdesc.sections import field


class FullyConnected(SynapticSection):
    """Base class of the layers in which every input reaches every neuron."""

    size_field = "units"

    units: int = field("Number of neurons.", unit="neurons", ge=1, le=1 << 20, example=128)

    @property
    def output_shape_of_any(self) -> Shape:
        return (self.units,)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            hint = 'add a layer of type "flatten" before it'
            raise ShapeError("needs an input of one dimension", hint)
        return self.output_shape_of_any

    def weight_shape(self, shape: Shape) -> Shape:
        return (self.units, *shape)


class Dense(FullyConnected):
    """Fully connected synapses into neurons."""

    type: Literal["dense"]
