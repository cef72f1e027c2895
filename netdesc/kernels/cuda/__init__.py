"""The CUDA engine in Triton: kernels that compute all steps with the states in registers.

Triton is imported when the engine first computes; ``availability`` says whether the engine can run.
"""
