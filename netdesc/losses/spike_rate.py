"""The squared error of spike rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.kernels.reference.windows import squared_costs
from netdesc.losses.rates import Window, labels_like, rates


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
        self.window = (
            None
            if loss.window_steps is None
            else Window(loss.window_steps, "squares", loss.true_rate, loss.false_rate)
        )
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """A float32 scalar from spikes [steps, batch, *shape] and integer labels.

        Labels are [batch], or [steps, batch] where the loss has a window. ValueError where shapes
        or types do not fit.
        """
        if not self.window:
            return self.of_rates(rates(output), labels)
        total = self.window.total(output, labels)
        return total / self.looks(output.shape) if self.mean else total

    @staticmethod
    def looks(shape: Sequence[int]) -> int:
        """How many costs a window finds in an output of that shape."""
        return math.prod(shape)

    def of_rates(self, rate_BN: Tensor, labels: Tensor) -> Tensor:
        """The same from spikes a step over whole samples, [batch, neurons]."""
        batch, neurons = rate_BN.shape
        index = labels_like(labels, (batch,), neurons).unsqueeze(-1)
        squares = squared_costs(rate_BN, index, self.true_rate, self.false_rate)
        return squares.mean() if self.mean else squares.sum()
