"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.arrays import Arrays as Arrays
from netdesc.description.models.arrays import Idx as Idx
from netdesc.description.models.data import EventFile as EventFile
from netdesc.description.models.data import Pair as Pair
from netdesc.description.models.document import Document as Document
from netdesc.description.models.document import Lock as Lock
from netdesc.description.models.document import Weights as Weights
from netdesc.description.models.layers import Layer as Layer
from netdesc.description.models.layers import SynapticSection as SynapticSection
from netdesc.description.models.loss import EventRate as EventRate
from netdesc.description.models.loss import LabelLoss as LabelLoss
from netdesc.description.models.loss import MeanSquaredError as MeanSquaredError
from netdesc.description.models.loss import OneLoss as OneLoss
from netdesc.description.models.loss import SpikeTime as SpikeTime
from netdesc.description.models.recordings import EventFolders as EventFolders
from netdesc.description.models.recordings import SpikeFiles as SpikeFiles
from netdesc.description.models.recordings import Tonic as Tonic
from netdesc.description.models.training import Group as Group
from netdesc.description.models.training import Training as Training

ValueData = Arrays | Idx
"""Data of values that an encoding turns into inputs."""
