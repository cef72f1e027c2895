"""The float32 matrix product (GEMM)."""
