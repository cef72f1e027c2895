"""The CPU engine in Numba: event-driven forward, one reverse pass backward.

``steps`` is free of torch; ``engine`` is what the operators call.
"""
