"""Layers of a network: a file for each group of kinds, with their fields and shapes."""

from typing import Annotated

from pydantic import Field

from netdesc.description.models.layers.base import LayerSection as LayerSection
from netdesc.description.models.layers.base import Shape as Shape
from netdesc.description.models.layers.base import ShapeError as ShapeError
from netdesc.description.models.layers.base import SynapticSection as SynapticSection
from netdesc.description.models.layers.convolution import Conv as Conv
from netdesc.description.models.layers.convolution import ConvTranspose as ConvTranspose
from netdesc.description.models.layers.convolution import KernelSection as KernelSection
from netdesc.description.models.layers.convolution import SumPool as SumPool
from netdesc.description.models.layers.convolution import Upsample as Upsample
from netdesc.description.models.layers.dense import Dense as Dense
from netdesc.description.models.layers.dense import Recurrent as Recurrent
from netdesc.description.models.layers.dense import WinnerTakeAll as WinnerTakeAll
from netdesc.description.models.layers.elementwise import Neurons as Neurons
from netdesc.description.models.layers.fields import AxonalDelay as AxonalDelay
from netdesc.description.models.layers.fields import Mask as Mask
from netdesc.description.models.layers.pools import AveragePool as AveragePool
from netdesc.description.models.layers.pools import MaxPool as MaxPool
from netdesc.description.models.layers.pools import Pooling as Pooling
from netdesc.description.models.layers.pools import PopulationAverage as PopulationAverage
from netdesc.description.models.layers.pools import TimeDecimation as TimeDecimation
from netdesc.description.models.layers.views import Concat as Concat
from netdesc.description.models.layers.views import Delay as Delay
from netdesc.description.models.layers.views import Flatten as Flatten
from netdesc.description.models.layers.views import Reshape as Reshape

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
