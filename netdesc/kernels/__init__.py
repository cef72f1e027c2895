"""Neuron dynamics over time: one definition, three engines, one set of torch operators.

- ``operators``: ``torch.ops.netdesc.*`` with their gradients; ``registration``: registers them
- ``engines``: chooses the engine that computes
- ``reference``: the engine that defines the results, in plain torch
- ``cpu``: Numba kernels, and ``cuda``: Triton kernels for NVIDIA GPUs; both give the same spikes
- ``fixed_point``: the number formats, without torch; ``grid``: rounds weights and parameters
- ``layer_neurons``: what the engines compute of a layer's neurons
- ``segments``: consecutive layers that one operator computes
- ``packing``: the tensor of packed spikes
- ``printing``: what ``cpu``, ``cuda`` and ``hardware`` share when they write a step as source text
- ``van_rossum_coefficients``: coefficients of the van Rossum filter, for ``cpu`` and ``cuda``
- ``checks``: checks the operators' tensors
- ``cache_folder``: the folder of compiled kernels
- ``machine``: cores and memory that the process may use, without torch
"""
