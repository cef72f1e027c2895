"""Defines the van Rossum filter and distance: an explicit convolution in plain torch."""

from __future__ import annotations

import math

import torch


def impulse_response(decay: float, order: int, length: int) -> torch.Tensor:
    """Returns ``h[n] = decayⁿ`` convolved ``order − 1`` times with itself, float64 [length]."""
    n = torch.arange(length, dtype=torch.float64)
    factors = torch.tensor([float(math.comb(i + order - 1, order - 1)) for i in range(length)])
    return factors.to(torch.float64) * decay**n


def _convolve(x_TBN: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    y_TBN = torch.zeros_like(x_TBN)
    for n in range(min(len(h), x_TBN.shape[0])):
        y_TBN[n:] += h[n] * x_TBN[: x_TBN.shape[0] - n]
    return y_TBN


def filtered(signal_TBN: torch.Tensor, decay: float, order: int, length: int) -> torch.Tensor:
    """Returns ``h ∗ signal``, float64 [steps, batch, neurons]."""
    h = impulse_response(decay, order, length).to(signal_TBN.device)
    return _convolve(signal_TBN.to(torch.float64), h)


def spike_time(
    output_TBN: torch.Tensor,
    target_TBN: torch.Tensor,
    decay: float,
    order: int,
    length: int,
    keep: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ``Σ f²`` with ``f = h ∗ (output − target)``, and its gradient by the output, float32.

    The loss is a scalar. Output, target and gradient are [steps, batch, neurons]. The gradient is
    the correlation of 2f with h; it is empty unless ``keep``.
    """
    f_TBN = filtered(output_TBN.to(torch.float64) - target_TBN, decay, order, length)
    loss = (f_TBN * f_TBN).sum().to(torch.float32)
    if not keep:
        return loss, output_TBN.new_empty(0)
    adjoint_TBN = filtered((2.0 * f_TBN).flip(0), decay, order, length).flip(0)
    return loss, adjoint_TBN.to(torch.float32)
