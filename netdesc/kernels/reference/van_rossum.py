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


def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ``Σ f²``, a float32 scalar, and ``f = h ∗ (output − target)``, float32.

    Output, target and f are [steps, batch, neurons].
    """
    h = impulse_response(decay, order, length).to(output_TBN.device)
    difference = output_TBN.to(torch.float64) - target_TBN.to(torch.float64)
    filtered = _convolve(difference, h)
    return (filtered * filtered).sum().to(torch.float32), filtered.to(torch.float32)


def spike_time_backward(
    filtered_TBN: torch.Tensor, grad_loss: torch.Tensor, decay: float, order: int, length: int
) -> torch.Tensor:
    """Returns the gradient of the output [steps, batch, neurons].

    It is ``2 · grad_loss`` times the correlation of ``filtered_TBN``, the filtered difference of
    ``spike_time``, with the filter's impulse response.
    """
    h = impulse_response(decay, order, length).to(filtered_TBN.device)
    adjoint = _convolve(filtered_TBN.to(torch.float64).flip(0), h).flip(0)
    return (2.0 * grad_loss * adjoint).to(torch.float32)
