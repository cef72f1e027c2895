"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.data import EventFile, Pair, SpikeFiles
from netdesc.description.models.document import Document, Input, Time, Weights
from netdesc.description.models.layers import Dense, Flatten, Layer, Quantization
from netdesc.description.models.lock import Lock, LockedFile, Origin
from netdesc.description.models.loss import SpikeTime
from netdesc.description.models.neurons import Cuba, TauGradSchedule
from netdesc.description.models.training import (
    Adam,
    AdamW,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    Sgd,
    StepSchedule,
    Training,
)

__all__ = [
    "Adam",
    "AdamW",
    "ConstantSchedule",
    "CosineSchedule",
    "Cuba",
    "Dense",
    "Document",
    "EarlyStopping",
    "EventFile",
    "Flatten",
    "Input",
    "Layer",
    "Lock",
    "LockedFile",
    "Origin",
    "Pair",
    "Quantization",
    "Sgd",
    "SpikeFiles",
    "SpikeTime",
    "StepSchedule",
    "TauGradSchedule",
    "Time",
    "Training",
    "Weights",
]
