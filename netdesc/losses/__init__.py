"""Losses and classifiers: torch modules that map the output to a loss or to classes.

- ``build_loss`` and ``build_classifier``: build the modules that a graph describes
- ``spike_time``: the van Rossum distance of spike trains; ``label_loss``: losses for labels
- ``ValueErrorSums``: sums the errors of values over batches
- ``majority``: returns the class that most steps of a sample predict
"""

from netdesc.losses.classifier import SILENT as SILENT
from netdesc.losses.classifier import OutputClassifier as OutputClassifier
from netdesc.losses.classifier import majority as majority
from netdesc.losses.label_loss import CrossEntropyLoss as CrossEntropyLoss
from netdesc.losses.label_loss import SpikeMaxLoss as SpikeMaxLoss
from netdesc.losses.label_loss import SpikeRateLoss as SpikeRateLoss
from netdesc.losses.loss import Loss as Loss
from netdesc.losses.python_loss import LossFunction as LossFunction
from netdesc.losses.python_loss import PythonLoss as PythonLoss
from netdesc.losses.python_loss import check_same_loss as check_same_loss
from netdesc.losses.target_losses import MeanSquaredErrorLoss as MeanSquaredErrorLoss
from netdesc.losses.target_losses import SpikeMoidLoss as SpikeMoidLoss
from netdesc.losses.target_losses import SpikeTimeLoss as SpikeTimeLoss
from netdesc.losses.target_losses import ValueErrors as ValueErrors
from netdesc.losses.target_losses import ValueErrorSums as ValueErrorSums
from netdesc.losses.total import TotalLoss as TotalLoss
from netdesc.losses.total import build_classifier as build_classifier
from netdesc.losses.total import build_loss as build_loss
