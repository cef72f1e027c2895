"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.arrays import (
    Arrays,
    ConstantEncoding,
    DeltaEncoding,
    Idx,
    LatencyEncoding,
    RateEncoding,
    SeriesEncoding,
    SpikesEncoding,
)
from netdesc.description.models.data import EventFile, Pair
from netdesc.description.models.document import Document, Lock, Origin, Time, Weights
from netdesc.description.models.layers import Layer, SynapticSection
from netdesc.description.models.loss import (
    CrossEntropy,
    EventRate,
    LabelLoss,
    MeanSquaredError,
    OneLoss,
    RateClassifier,
    SpikeMax,
    SpikeMoid,
    SpikeRate,
    SpikeTime,
)
from netdesc.description.models.recordings import EventFolders, SpikeFiles, Tonic
from netdesc.description.models.training import Group, PlateauSchedule, Training

ValueData = Arrays | Idx
"""Data of values that an encoding turns into inputs."""

__all__ = [
    "Arrays",
    "ConstantEncoding",
    "CrossEntropy",
    "DeltaEncoding",
    "Document",
    "EventFile",
    "EventFolders",
    "EventRate",
    "Group",
    "Idx",
    "LabelLoss",
    "LatencyEncoding",
    "Layer",
    "Lock",
    "MeanSquaredError",
    "OneLoss",
    "Origin",
    "Pair",
    "PlateauSchedule",
    "RateClassifier",
    "RateEncoding",
    "SeriesEncoding",
    "SpikeFiles",
    "SpikeMax",
    "SpikeMoid",
    "SpikeRate",
    "SpikeTime",
    "SpikesEncoding",
    "SynapticSection",
    "Time",
    "Tonic",
    "Training",
    "ValueData",
    "Weights",
]
