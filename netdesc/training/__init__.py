"""Trains the network of a description, and writes all results into the folder of a run.

- ``train``: starts or resumes a run; ``session`` trains to the end and records the outcome
- ``setup``: a caller's options, data, network, loss and optimizer; ``device``; ``weights``
- ``loop``: the epochs; ``step``: a batch; ``optimizer``; ``schedule``: learning rate and early end
- ``metrics``: those of an epoch; ``evaluate``: loss and predictions without training
- ``watcher``: tells during training the ``symptoms`` of what goes wrong, with ``fixes``;
  ``findings``: what the network did not learn, at the end
- ``saver``, ``activity_recorder``, ``progress``: what is written into the files of a run
"""
