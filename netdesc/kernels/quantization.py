"""Quantises real weights to the fixed-point grid, and passes gradients straight through."""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels.fixed_point import WEIGHT_UNIT, weight_limits


def half_limits(bits: int) -> tuple[int, int]:
    """Smallest and largest ``round(32 · w)`` on the grid: integer weights are twice these."""
    low, high = weight_limits(bits)
    return low // 2, high // 2


def quantize(weight: Tensor, bits: int) -> Tensor:
    """``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``, halves to even; NaN becomes 0."""
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=0.0) * (WEIGHT_UNIT / 2))
    return torch.clamp(halves, low, high) / (WEIGHT_UNIT / 2)


def straight_through(grad: Tensor, weight: Tensor, bits: int) -> Tensor:
    """The gradient of ``quantize``: unchanged, but 0 where the weight was clamped or is NaN."""
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=torch.inf) * (WEIGHT_UNIT / 2))
    # hardtanh passes the gradient between its limits; ``halves`` are integers, so never equal them.
    return torch.ops.aten.hardtanh_backward(grad, halves, low - 0.5, high + 0.5)
