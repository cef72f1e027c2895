"""Defines the van Rossum filter and distance: an explicit convolution in plain torch."""

import functools
import math

import torch


@functools.cache
def impulse_response(decay: float, order: int, length: int, device: torch.device) -> torch.Tensor:
    """Returns ``h[n] = decayⁿ`` convolved ``order − 1`` times with itself, float64 [length].

    Trailing coefficients below the rounding of float64 are left out. The tensor is cached, because
    copying it to a GPU makes the host wait, and never freed, because a captured CUDA graph
    continues to read it.
    """
    n = torch.arange(length, dtype=torch.float64, device=device)
    factors = [float(math.comb(i + order - 1, order - 1)) for i in range(length)]
    h = torch.tensor(factors, dtype=torch.float64, device=device) * decay**n
    return h[: 1 + int((h > 1e-16 * h.max()).nonzero().max())]


def filter_signal(signal_TBN: torch.Tensor, decay: float, order: int, length: int) -> torch.Tensor:
    """Returns ``h ∗ signal``, float64 [steps, batch, neurons]."""
    x_TBN, steps = signal_TBN.to(torch.float64), len(signal_TBN)
    h = impulse_response(decay, order, min(length, steps), x_TBN.device)
    y_TBN = torch.zeros_like(x_TBN)
    for n in range(len(h)):
        y_TBN[n:] += h[n] * x_TBN[: steps - n]
    return y_TBN


def spike_time(
    output_TBN: torch.Tensor,
    target_TBN: torch.Tensor,
    decay: float,
    order: int,
    length: int,
    keep: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ``Σ f²`` with ``f = h ∗ (output − target)``, and its gradient, float32.

    The loss is []; output and target are [steps, batch, neurons]. The gradient with respect to the
    output has their shape: it is 2f, filtered with h backward in time. It is [0] unless ``keep``,
    which says whether a backward pass follows.
    """
    f_TBN = filter_signal(output_TBN.to(torch.float64) - target_TBN, decay, order, length)
    loss = (f_TBN * f_TBN).sum().to(torch.float32)
    if not keep:
        return loss, output_TBN.new_empty(0)
    grad_TBN = filter_signal((2.0 * f_TBN).flip(0), decay, order, length).flip(0)
    return loss, grad_TBN.to(torch.float32)
