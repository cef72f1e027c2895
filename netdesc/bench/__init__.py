"""Benchmarks: epochs of a task, one layer compared with other programs, and sweeps over sizes.

- ``epochs``: times the training loop, the whole epoch and its ``parts``
- ``oxford``: trains the Oxford task with slayer
- ``layer``: times one dense layer; ``sweep``: over steps, batch, neurons and rates
- ``programs``: starts each measured program in a process of its own
- ``peers``: runs in that process; one file a program
- ``machine``, ``facts``: cores, memory and load of the machine; ``tables``: printed results
"""
