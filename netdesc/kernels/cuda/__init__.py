"""The CUDA engine in Triton: kernels that walk all steps with the states in registers.

Nothing here loads Triton before the engine computes; ``obstacle`` says whether it can.
"""
