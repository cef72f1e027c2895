"""Layers of a network: a file for each group of kinds, with their fields and shapes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from netdesc.description.models.layers.base import (
    LayerSection,
    Quantization,
    Shape,
    ShapeError,
    SynapticSection,
)
from netdesc.description.models.layers.convolution import (
    Conv,
    ConvTranspose,
    KernelSection,
    SumPool,
    Upsample,
)
from netdesc.description.models.layers.dense import Dense
from netdesc.description.models.layers.views import Flatten
from netdesc.sections import type_tag

__all__ = [
    "Conv",
    "ConvTranspose",
    "Dense",
    "Flatten",
    "KernelSection",
    "Layer",
    "LayerSection",
    "Quantization",
    "Shape",
    "ShapeError",
    "SumPool",
    "SynapticSection",
    "Upsample",
]

Layer = Annotated[
    Annotated[Dense, Tag("<dense>")]
    | Annotated[Conv, Tag("<conv>")]
    | Annotated[ConvTranspose, Tag("<conv_transpose>")]
    | Annotated[SumPool, Tag("<sum_pool>")]
    | Annotated[Upsample, Tag("<upsample>")]
    | Annotated[Flatten, Tag("<flatten>")],
    Discriminator(type_tag),
]
