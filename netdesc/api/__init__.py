"""What users call, one file a verb.

- ``compile``: a torch module and its loss from a document, a run or a ``.net`` file
- ``kernels``: compiles the kernels of a network before they are needed
- ``train``: trains, then writes ``network.net`` and ``report.html`` into the run's folder
- ``evaluate``: loss, accuracy and spike rates on a split of the data
- ``run``: output spikes for one recording, in floats or in the device's integers
- ``integer_run``: output spikes for an array, in the device's integers; loads no torch

``load``, which reads a document, is in ``netdesc.description``.
"""
