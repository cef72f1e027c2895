"""Trains the network of a description, and writes all results into a run directory.

- ``train``: starts or resumes a run; ``session`` trains to the end and records the outcome
- ``setup``: reads the data, builds network, loss, optimizer and learning-rate ``schedule``
- ``loop``: the epochs; ``step``: loss and gradients of a batch, and the update of the weights
- ``evaluate``: loss and accuracy without training; ``metrics``: the metrics of an epoch;
  ``confusion_counter``: the confusion matrix
- ``checkpoint``, ``record``, ``run_logs``, ``activity``: the files of the run
- ``errors``: errors that the user can correct, each with its exit code

Importing this package loads no torch, because reading arrays needs none.
"""

from netdesc.training.errors import TrainingError

__all__ = ["TrainingError"]
