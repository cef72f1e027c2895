"""Losses and classifiers: torch modules that map the output to a loss or to classes.

- ``build_loss`` and ``build_classifier``: build the modules that a graph describes
- ``spike_time``: the van Rossum distance of spike trains; ``label_loss``: losses for labels
- ``ValueErrorSums``: sums the errors of values over batches
- ``majority``: returns the class that most steps of a sample predict
"""

from netdesc.losses.build import build_classifier, build_loss
from netdesc.losses.classifier import SILENT, Classifier, majority
from netdesc.losses.label_loss import CrossEntropyLoss, SpikeMaxLoss, SpikeRateLoss
from netdesc.losses.loss import Loss
from netdesc.losses.mean_squared_error import MeanSquaredErrorLoss
from netdesc.losses.spike_moid import SpikeMoidLoss
from netdesc.losses.spike_time import SpikeTimeLoss
from netdesc.losses.total import TotalLoss
from netdesc.losses.value_errors import ValueErrors, ValueErrorSums

__all__ = [
    "SILENT",
    "Classifier",
    "CrossEntropyLoss",
    "Loss",
    "MeanSquaredErrorLoss",
    "SpikeMaxLoss",
    "SpikeMoidLoss",
    "SpikeRateLoss",
    "SpikeTimeLoss",
    "TotalLoss",
    "ValueErrorSums",
    "ValueErrors",
    "build_classifier",
    "build_loss",
    "majority",
]
