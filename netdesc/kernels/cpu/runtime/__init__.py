"""Shared by all kernels: SIMD vectors, threads, memory, and the cache of compiled kernels."""
