"""Mean-only normalisation of a neuron's current."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netdesc.kernels import operators

MOMENTUM = 0.1
"""Weight of a batch's mean when the running mean is updated."""

BIAS_BITS = 8
"""The mean is quantised like weights of 8 bits, because the device stores it as a bias."""


class MeanNorm(nn.Module):
    """Subtracts each channel's mean over batch and time from the current.

    In training, the batch's mean is subtracted; otherwise the running mean, which the device
    applies as a bias. This is mean-only batch normalisation of Salimans & Kingma (2016), section 3.
    """

    running_mean: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))

    def bias(self) -> Tensor:
        """Returns the quantised bias that is added to the current outside training, [channels]."""
        return -operators.quantize_weight(self.running_mean, BIAS_BITS)

    @torch.no_grad()
    def update_running_mean(self, mean: Tensor) -> None:
        """Moves the running mean toward a batch's ``mean`` [channels]."""
        self.running_mean.lerp_(mean, MOMENTUM)

    def forward(self, current_TBN: Tensor) -> Tensor:
        """Normalises a batch's current [steps, batch, channels], and updates the running mean."""
        mean = current_TBN.mean(dim=(0, 1))
        self.update_running_mean(mean)
        return current_TBN - operators.quantize_weight(mean, BIAS_BITS)
