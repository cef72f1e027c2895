"""Neuron dynamics over time: one definition, several engines, one set of torch operators.

- ``grid``: the integer grid, and ``cpu.steps``: one step of a neuron; both free of torch
- ``reference``: the definition in plain torch
- ``cpu``: Numba kernels that equal it spike for spike
- ``cuda``: Triton kernels that do, for NVIDIA GPUs
- ``operators``: ``torch.ops.netdesc.*`` with their gradients
- ``engine``: which engine runs
"""
