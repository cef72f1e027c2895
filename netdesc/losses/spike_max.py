"""The negative log likelihood of the label under the spike rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.kernels.reference.windows import likelihood_costs, softmax_costs
from netdesc.losses.rates import Window, labels_like, rates


class SpikeMax(nn.Module):
    """``−log p(label)``, where ``p = rate / Σ rate``, or the softmax of the rates.

    Summed over the batch, and with a window over steps, or the mean over these (as in lava-dl's
    ``SpikeMax``). Where the label's neuron is silent, ``rate / Σ rate`` would cost infinitely much
    and teach nothing. It then counts as half a spike, and all neurons together as at least half a
    spike each: a silent output says nothing, so that every class is as likely. The gradient is that
    of the logarithms at these values.
    """

    def __init__(self, loss: nodes.SpikeMax) -> None:
        super().__init__()
        self.softmax = loss.mode == "softmax"
        self.window_steps = loss.window_steps
        costs = "softmax" if self.softmax else "likelihood"
        self.window = None if loss.window_steps is None else Window(loss.window_steps, costs)
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """A float32 scalar from spikes [steps, batch, *shape] and integer labels.

        Labels are [batch], or [steps, batch] where the loss has a window. ValueError where shapes
        or types do not fit.
        """
        if not self.window:
            return self.of_rates(rates(output), labels, len(output))
        total = self.window.total(output, labels)
        return total / self.looks(output.shape) if self.mean else total

    @staticmethod
    def looks(shape: Sequence[int]) -> int:
        """How many costs a window finds in an output of that shape."""
        return math.prod(shape[:2])

    def of_rates(self, rate_BN: Tensor, labels: Tensor, steps: int) -> Tensor:
        """The same from spikes a step over whole samples of so many ``steps``, [batch, neurons]."""
        batch, neurons = rate_BN.shape
        index = labels_like(labels, (batch,), neurons).unsqueeze(-1)
        costs = (
            softmax_costs(rate_BN, index)
            if self.softmax
            else likelihood_costs(rate_BN, index, steps)
        )
        return costs.mean() if self.mean else costs.sum()
