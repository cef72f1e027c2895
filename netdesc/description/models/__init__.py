"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.arrays import (
    Arrays,
    ConstantEncoding,
    DeltaEncoding,
    LatencyEncoding,
    RateEncoding,
    SeriesEncoding,
    SpikesEncoding,
)
from netdesc.description.models.classifier import MovingWindowClassifier, RateClassifier
from netdesc.description.models.data import EventFile, Pair, SpikeFiles
from netdesc.description.models.document import Document, Input, Time, Weights
from netdesc.description.models.idx import Idx
from netdesc.description.models.layers import Dense, Flatten, Layer, Quantization, SynapticSection
from netdesc.description.models.lock import Lock, LockedFile, Origin
from netdesc.description.models.loss import (
    CrossEntropy,
    EventRate,
    MeanSquaredError,
    OneLoss,
    SpikeMax,
    SpikeMoid,
    SpikeRate,
    SpikeTime,
)
from netdesc.description.models.recordings import EventFolder, EventFolders, Tonic
from netdesc.description.models.training import (
    Adam,
    AdamW,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    Group,
    MilestonesSchedule,
    PlateauSchedule,
    RAdam,
    Sgd,
    StepSchedule,
    Training,
)
from netdesc.neurons.models.cuba import Cuba
from netdesc.neurons.models.fields import TauGradSchedule

ValueData = Arrays | Idx
"""Data of values that an encoding turns into inputs."""

__all__ = [
    "Adam",
    "AdamW",
    "Arrays",
    "ConstantEncoding",
    "ConstantSchedule",
    "CosineSchedule",
    "CrossEntropy",
    "Cuba",
    "DeltaEncoding",
    "Dense",
    "Document",
    "EarlyStopping",
    "EventFile",
    "EventFolder",
    "EventFolders",
    "EventRate",
    "Flatten",
    "Group",
    "Idx",
    "Input",
    "LatencyEncoding",
    "Layer",
    "Lock",
    "LockedFile",
    "MeanSquaredError",
    "MilestonesSchedule",
    "MovingWindowClassifier",
    "OneLoss",
    "Origin",
    "Pair",
    "PlateauSchedule",
    "Quantization",
    "RAdam",
    "RateClassifier",
    "RateEncoding",
    "SeriesEncoding",
    "Sgd",
    "SpikeFiles",
    "SpikeMax",
    "SpikeMoid",
    "SpikeRate",
    "SpikeTime",
    "SpikesEncoding",
    "StepSchedule",
    "SynapticSection",
    "TauGradSchedule",
    "Time",
    "Tonic",
    "Training",
    "ValueData",
    "Weights",
]
