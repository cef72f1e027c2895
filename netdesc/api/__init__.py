"""The functions that users call, one file for each verb.

- ``load``: reads a document, and checks it with the files that it names
- ``compile``: builds a torch module and its loss from a document, a run or a ``.net`` file
- ``train``: trains, then writes ``network.net`` and ``report.html`` into the run's folder
- ``evaluate``, ``predict``: measure and write the outputs for samples
- ``export``: writes a network file of another program
- ``run``: computes the output of one recording, in floats or in the device's integers
- ``verify``: proves that training, the device's integers and an export give the same spikes
"""
