"""Weight quantisation to the fixed-point grid, with a straight-through gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels.fixed_point import WEIGHT_UNIT, weight_limits


def half_limits(bits: int) -> tuple[int, int]:
    """Returns the smallest and largest ``round(32 · w)`` of weights with ``bits`` bits.

    ``round(32 · w)`` is half the integer weight.
    """
    low, high = weight_limits(bits)
    return low // 2, high // 2


def quantize(weight: Tensor, bits: int) -> Tensor:
    """Quantises weights: ``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``.

    Rounding takes ties to even. NaN becomes 0.
    """
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=0.0) * (WEIGHT_UNIT / 2))
    return torch.clamp(halves, low, high) / (WEIGHT_UNIT / 2)


def straight_through(grad: Tensor, weight: Tensor, bits: int) -> Tensor:
    """Returns the gradient of ``quantize``: ``grad``, but 0 for weights that are clamped or NaN."""
    low, high = half_limits(bits)
    halves = torch.round(torch.nan_to_num(weight, nan=torch.inf) * (WEIGHT_UNIT / 2))
    # hardtanh passes gradients between its limits, which integer ``halves`` never equal.
    return torch.ops.aten.hardtanh_backward(grad, halves, low - 0.5, high + 0.5)
