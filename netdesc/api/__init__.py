"""The functions that users call, one file for each verb.

- ``compile``: builds a torch module and its loss from a document, a run or a ``.net`` file
- ``train``: trains, then writes ``network.net`` and ``report.html`` into the run's folder
- ``evaluate``: measures loss, accuracy and spike rates on a split of the data
- ``export``: writes a ``.net`` file
- ``run``: computes the output spikes of one recording, in floats or in the device's integers
- ``verify``: proves that training, the device's integers and an export give the same spikes
- ``integer_run``: computes the output spikes of an array in the device's integers, without torch

``recording`` reads the input of ``run`` and ``verify``, and ``trained_run`` holds the results of a
run. ``load``, which reads a document, is in ``netdesc.description``.
"""
