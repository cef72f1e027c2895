"""Benchmarks: epochs of a task, one layer compared with other programs, and sweeps over sizes.

- ``epochs``: times the epochs of the training loop and their parts; ``parts``: lists the parts
- ``oxford``: trains the Oxford task with slayer
- ``layer``: times one dense layer
- ``neurons``: times neurons of each kind beside CUBA
- ``sweep``: times dense layers with several numbers of steps, samples and neurons, and input rates
- ``programs``: starts each measured program in a separate process
- ``peers``: the code that runs in these processes; one file for each program
- ``facts``: processor of the machine; ``tables``: formats the results
"""
