"""The CPU engine in Numba: event-driven forward pass, backward pass over all steps.

The modules build on one another in this order: ``runtime``, ``spikes``, ``gemm``, ``walk``,
``synapses``, ``losses``, ``segment`` and ``engine``, whose functions the operators call.
"""
