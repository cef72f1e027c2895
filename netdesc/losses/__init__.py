"""Torch modules that map output spikes to a loss (losses) or to classes (classifiers).

- ``build_loss`` and ``build_classifier``: build the modules that a graph describes
- ``majority``: returns the class of each sample from the classes of its steps
"""

from netdesc.losses.build import build_classifier, build_loss
from netdesc.losses.classifiers import (
    SILENT,
    MovingWindowClassifier,
    RateClassifier,
    majority,
)
from netdesc.losses.label_loss import SpikeMax, SpikeRate
from netdesc.losses.spike_time import SpikeTime

__all__ = [
    "SILENT",
    "MovingWindowClassifier",
    "RateClassifier",
    "SpikeMax",
    "SpikeRate",
    "SpikeTime",
    "build_classifier",
    "build_loss",
    "majority",
]
