"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.arrays import Arrays as Arrays
from netdesc.description.models.arrays import Idx as Idx
from netdesc.description.models.document import Document as Document
from netdesc.description.models.document import Weights as Weights
from netdesc.description.models.layers import SynapticSection as SynapticSection
from netdesc.description.models.recordings import EventFolders as EventFolders
from netdesc.description.models.recordings import SpikeFiles as SpikeFiles
from netdesc.description.models.recordings import Tonic as Tonic
from netdesc.description.models.training import Training as Training

ValueData = Arrays | Idx
"""Data of values that an encoding turns into inputs."""
