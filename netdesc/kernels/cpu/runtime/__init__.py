"""What all kernels need: vectors, threads, memory and the cache of compiled kernels."""
