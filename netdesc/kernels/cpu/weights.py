"""Weights on the grid, as kernels take them."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels import quantization
from netdesc.kernels.cpu import forward
from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.buffers import take


def half_limits(bits: int) -> tuple[np.float32, np.float32]:
    """``quantization.half_limits`` as the kernels' own type."""
    low, high = quantization.half_limits(bits)
    return np.float32(low), np.float32(high)


def quantized(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """``quantization.quantize`` in one pass, [outputs, inputs] in threshold units."""
    weight = take(tuple(weight_OI.shape), np.float32)
    forward.quantized(array_of(weight_OI), *half_limits(bits), weight)
    return weight


def integer_rows(weight_OI: torch.Tensor, bits: int) -> np.ndarray:
    """Integer weights [inputs, outputs], int16."""
    integer_IO = take(tuple(weight_OI.shape[::-1]), np.int16)
    forward.quantized_rows(array_of(weight_OI), *half_limits(bits), integer_IO)
    return integer_IO
