"""Losses and classifiers: torch modules that map the output to a loss or to classes.

- ``build_loss`` and ``build_classifier``: build the modules that a graph describes
- ``spike_time``: the van Rossum distance of spike trains; ``label_loss``: losses for labels
- ``ValueErrorSums``: sums the errors of values over batches
- ``majority``: returns the class that most steps of a sample predict
"""

from netdesc.losses.classifier import SILENT, OutputClassifier, majority
from netdesc.losses.label_loss import CrossEntropyLoss, SpikeMaxLoss, SpikeRateLoss
from netdesc.losses.loss import Loss
from netdesc.losses.python_loss import LossFunction, PythonLoss, check_same_loss
from netdesc.losses.target_losses import (
    MeanSquaredErrorLoss,
    SpikeMoidLoss,
    SpikeTimeLoss,
    ValueErrors,
    ValueErrorSums,
)
from netdesc.losses.total import TotalLoss, build_classifier, build_loss

__all__ = [
    "SILENT",
    "CrossEntropyLoss",
    "Loss",
    "LossFunction",
    "MeanSquaredErrorLoss",
    "OutputClassifier",
    "PythonLoss",
    "SpikeMaxLoss",
    "SpikeMoidLoss",
    "SpikeRateLoss",
    "SpikeTimeLoss",
    "TotalLoss",
    "ValueErrorSums",
    "ValueErrors",
    "build_classifier",
    "build_loss",
    "check_same_loss",
    "majority",
]
