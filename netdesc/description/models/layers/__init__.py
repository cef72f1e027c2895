"""Layers of a network: a file for each group of kinds, with their fields and shapes."""

from typing import Annotated

from pydantic import Field

from netdesc.description.models.layers.base import LayerSection, Shape, ShapeError, SynapticSection
from netdesc.description.models.layers.convolution import (
    Conv,
    ConvTranspose,
    KernelSection,
    SumPool,
    Upsample,
)
from netdesc.description.models.layers.dense import Dense, Recurrent, WinnerTakeAll
from netdesc.description.models.layers.elementwise import Neurons
from netdesc.description.models.layers.fields import AxonalDelay, Mask
from netdesc.description.models.layers.pools import (
    AveragePool,
    MaxPool,
    Pooling,
    PopulationAverage,
    TimeDecimation,
)
from netdesc.description.models.layers.views import Concat, Delay, Flatten, Reshape

__all__ = [
    "AveragePool",
    "AxonalDelay",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Delay",
    "Dense",
    "Flatten",
    "KernelSection",
    "Layer",
    "LayerSection",
    "Mask",
    "MaxPool",
    "Neurons",
    "Pooling",
    "PopulationAverage",
    "Recurrent",
    "Reshape",
    "Shape",
    "ShapeError",
    "SumPool",
    "SynapticSection",
    "TimeDecimation",
    "Upsample",
    "WinnerTakeAll",
]

Layer = Annotated[
    Dense
    | Conv
    | ConvTranspose
    | SumPool
    | Upsample
    | Recurrent
    | WinnerTakeAll
    | Neurons
    | MaxPool
    | AveragePool
    | PopulationAverage
    | TimeDecimation
    | Flatten
    | Reshape
    | Concat
    | Delay,
    Field(discriminator="type"),
]
