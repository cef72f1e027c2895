"""Trains the network of a description, and writes all results into a run directory.

- ``train``: starts or resumes a run; ``session`` trains to the end and records the outcome
- ``setup``: reads the data, builds network, loss, optimizer and learning-rate ``schedule``
- ``loop``: the epochs; ``step``: loss and gradients of a batch, and the update of the weights
- ``evaluate``: loss and accuracy without training; ``metrics``: the metrics of an epoch;
  ``confusion_counter``: the confusion matrix
- ``splits``: reads the data, from ``arrays`` or ``spike_files``; ``batches``: batches as tensors
- ``checkpoint``, ``record``, ``run_logs``, ``activity``: the files of the run
- ``errors``: errors that the user can correct, each with its exit code
"""

from netdesc.training.errors import DataError, TrainingError
from netdesc.training.session import Hooks, Outcome
from netdesc.training.train import train

__all__ = ["DataError", "Hooks", "Outcome", "TrainingError", "train"]
