"""Neuron dynamics over time: one definition, several engines, one set of torch operators.

- ``fixed_point``: the number formats; free of torch
- ``reference``: the definition in plain torch
- ``cpu``: Numba kernels, and ``cuda``: Triton kernels for NVIDIA GPUs; both give the same spikes
- ``operators``: ``torch.ops.netdesc.*`` with their gradients
- ``engine``: chooses the engine that computes
"""
