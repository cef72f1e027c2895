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
from netdesc.description.models.layers.dense import Dense
from netdesc.description.models.layers.views import Flatten
from netdesc.sections import type_tag

__all__ = [
    "Dense",
    "Flatten",
    "Layer",
    "LayerSection",
    "Quantization",
    "Shape",
    "ShapeError",
    "SynapticSection",
]

Layer = Annotated[
    Annotated[Dense, Tag("<dense>")] | Annotated[Flatten, Tag("<flatten>")],
    Discriminator(type_tag),
]
