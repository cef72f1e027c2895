"""The CPU engine in Numba. The operators call the functions of its module ``engine``.

The forward pass adds weights only for inputs that spike, if spikes are sparse. The backward pass
computes the gradients of all steps. The modules build on one another in this order: ``runtime``,
``spikes``, ``synapses``, ``gemm``, ``walk``, ``van_rossum``, ``segment`` and ``engine``.
"""
