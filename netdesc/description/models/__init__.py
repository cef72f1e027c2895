"""The document as pydantic models: every field, its meaning, unit, limits and default."""

from netdesc.description.models.arrays import (
    Arrays,
    LatencyEncoding,
    RateEncoding,
    SpikesEncoding,
)
from netdesc.description.models.classifier import MovingWindowClassifier, RateClassifier
from netdesc.description.models.data import EventFile, Pair, SpikeFiles
from netdesc.description.models.document import Document, Input, Time, Weights
from netdesc.description.models.layers import Dense, Flatten, Layer, Quantization
from netdesc.description.models.lock import Lock, LockedFile, Origin
from netdesc.description.models.loss import SpikeMax, SpikeRate, SpikeTime
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
from netdesc.neurons.models.cuba import Cuba
from netdesc.neurons.models.fields import TauGradSchedule

__all__ = [
    "Adam",
    "AdamW",
    "Arrays",
    "ConstantSchedule",
    "CosineSchedule",
    "Cuba",
    "Dense",
    "Document",
    "EarlyStopping",
    "EventFile",
    "Flatten",
    "Input",
    "LatencyEncoding",
    "Layer",
    "Lock",
    "LockedFile",
    "MovingWindowClassifier",
    "Origin",
    "Pair",
    "Quantization",
    "RateClassifier",
    "RateEncoding",
    "Sgd",
    "SpikeFiles",
    "SpikeMax",
    "SpikeRate",
    "SpikeTime",
    "SpikesEncoding",
    "StepSchedule",
    "TauGradSchedule",
    "Time",
    "Training",
    "Weights",
]
