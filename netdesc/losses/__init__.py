"""Losses and classifiers: from output spikes to a number to minimise, and to classes.

- ``build_loss`` and ``build_classifier``: those of a graph
- ``majority``: one class a sample, from one a step
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
