"""Layers of a network: a file for each group of kinds, with their fields and shapes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from netdesc.description.models.layers.base import LayerSection, Shape, ShapeError, SynapticSection
from netdesc.description.models.layers.convolution import (
    Conv,
    ConvTranspose,
    KernelSection,
    SumPool,
    Upsample,
)
from netdesc.description.models.layers.dense import Dense
from netdesc.description.models.layers.fields import AxonalDelay, Mask, Quantization
from netdesc.description.models.layers.neurons import Neurons
from netdesc.description.models.layers.pools import (
    AveragePool,
    MaxPool,
    PopulationAverage,
    TimeDecimation,
)
from netdesc.description.models.layers.recurrent import Recurrent, RecurrentSection, WinnerTakeAll
from netdesc.description.models.layers.views import Concat, Delay, Flatten, Reshape
from netdesc.sections import type_tag

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
    "PopulationAverage",
    "Quantization",
    "Recurrent",
    "RecurrentSection",
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
    Annotated[Dense, Tag("<dense>")]
    | Annotated[Conv, Tag("<conv>")]
    | Annotated[ConvTranspose, Tag("<conv_transpose>")]
    | Annotated[SumPool, Tag("<sum_pool>")]
    | Annotated[Upsample, Tag("<upsample>")]
    | Annotated[Recurrent, Tag("<recurrent>")]
    | Annotated[WinnerTakeAll, Tag("<winner_take_all>")]
    | Annotated[Neurons, Tag("<neurons>")]
    | Annotated[MaxPool, Tag("<max_pool>")]
    | Annotated[AveragePool, Tag("<average_pool>")]
    | Annotated[PopulationAverage, Tag("<population_average>")]
    | Annotated[TimeDecimation, Tag("<time_decimation>")]
    | Annotated[Flatten, Tag("<flatten>")]
    | Annotated[Reshape, Tag("<reshape>")]
    | Annotated[Concat, Tag("<concat>")]
    | Annotated[Delay, Tag("<delay>")],
    Discriminator(type_tag),
]
