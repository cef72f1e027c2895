"""The CPU engine in Numba: event-driven forward pass, backward pass through all steps.

The operators call ``engine``; ``steps`` does not import torch.
"""
