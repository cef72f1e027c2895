"""Trains the network of a description, and writes all results into a run directory.

- ``train``: starts or resumes a run; ``session`` trains to the end and records the outcome
- ``setup``: reads the data, builds network, loss, optimizer and learning-rate ``schedule``
- ``loop``: the epochs; ``step``: loss and gradients of a batch, and the update of the weights
- ``evaluate``: loss and accuracy without training; ``metrics``: the metrics of an epoch;
  ``confusion_counter``: the confusion matrix
- ``saver``, ``activity_recorder``, ``progress``: what is written into the files of a run

Importing this package loads no torch, because reading arrays needs none.
"""

from netdesc.runs.errors import RunError

__all__ = ["RunError"]
