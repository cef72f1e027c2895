"""The squared error of spike rates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.losses.rates import labels_like, rates


class SpikeRate(nn.Module):
    """``Σ (rate − wanted)²``, where the label's neuron is to spike at ``true_rate`` a step.

    The others are to spike at ``false_rate``. Summed over batch and neurons, and with a window
    over steps, or the mean over all of these (as in lava-dl's ``SpikeRate``).
    """

    def __init__(self, loss: nodes.SpikeRate) -> None:
        super().__init__()
        self.true_rate = loss.true_rate
        self.false_rate = loss.false_rate
        self.window_steps = loss.window_steps
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """A float32 scalar from spikes [steps, batch, *shape] and integer labels.

        Labels are [batch], or [steps, batch] where the loss has a window. ValueError where shapes
        or types do not fit.
        """
        return self.of_rates(rates(output, self.window_steps), labels)

    def of_rates(self, rate: Tensor, labels: Tensor) -> Tensor:
        """The same from spikes a step: [batch, neurons], with a window [steps, batch, neurons]."""
        index = labels_like(rate, labels, rate.shape[-2]).unsqueeze(-1)
        wanted = torch.full_like(rate, self.false_rate).scatter_(-1, index, self.true_rate)
        squares = (rate - wanted).square()
        return squares.mean() if self.mean else squares.sum()
