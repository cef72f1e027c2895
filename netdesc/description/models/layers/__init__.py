"""Layers of a network: a file for each group of kinds, with their fields and shapes."""

from typing import Annotated

from pydantic import Field

from netdesc.description.models.layers.base import LayerSection as LayerSection
from netdesc.description.models.layers.base import Shape as Shape
from netdesc.description.models.layers.base import ShapeError as ShapeError
from netdesc.description.models.layers.base import SynapticSection as SynapticSection
from netdesc.description.models.layers.convolution import Conv, ConvTranspose, SumPool, Upsample
from netdesc.description.models.layers.convolution import KernelSection as KernelSection
from netdesc.description.models.layers.dense import Dense, Recurrent, WinnerTakeAll
from netdesc.description.models.layers.elementwise import Neurons
from netdesc.description.models.layers.fields import AxonalDelay as AxonalDelay
from netdesc.description.models.layers.fields import Mask as Mask
from netdesc.description.models.layers.pools import (
    AveragePool,
    MaxPool,
    PopulationAverage,
    TimeDecimation,
)
from netdesc.description.models.layers.pools import Pooling as Pooling
from netdesc.description.models.layers.views import Concat, Delay, Flatten, Reshape

_Synaptic = Dense | Conv | ConvTranspose | SumPool | Upsample | Recurrent | WinnerTakeAll | Neurons
_Pool = MaxPool | AveragePool | PopulationAverage | TimeDecimation
_View = Flatten | Reshape | Concat | Delay
Layer = Annotated[_Synaptic | _Pool | _View, Field(discriminator="type")]
