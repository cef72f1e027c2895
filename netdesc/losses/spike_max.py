"""The negative log likelihood of the label under the spike rates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.losses.rates import labels_like, rates

_HALF_A_SPIKE = 0.5


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
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """A float32 scalar from spikes [steps, batch, *shape] and integer labels.

        Labels are [batch], or [steps, batch] where the loss has a window. ValueError where shapes
        or types do not fit.
        """
        return self.of_rates(rates(output, self.window_steps), labels, len(output))

    def of_rates(self, rate: Tensor, labels: Tensor, steps: int) -> Tensor:
        """The same from spikes a step: [batch, neurons], with a window [steps, batch, neurons].

        ``steps`` are those of a sample.
        """
        index = labels_like(rate, labels, rate.shape[-2]).unsqueeze(-1)
        if self.softmax:
            # Not by ``log_softmax``, which wakes every thread for the few numbers of a batch.
            costs = rate.logsumexp(-1, keepdim=True) - rate.gather(-1, index)
        else:
            costs = self._costs(rate, index, self.window_steps or steps)
        return costs.mean() if self.mean else costs.sum()

    @staticmethod
    def _costs(rate: Tensor, index: Tensor, steps: int) -> Tensor:
        own, total = rate.gather(-1, index), rate.sum(-1, keepdim=True)
        least = torch.full_like(own, _HALF_A_SPIKE / steps)
        least_total = torch.where(own < least, least * rate.shape[-1], 0.0)
        return _at_least(total, least_total).log() - _at_least(own, least).log()


def _at_least(value: Tensor, bound: Tensor) -> Tensor:
    """The larger of the two; unlike that of ``maximum``, the gradient goes to ``value`` always."""
    with torch.no_grad():
        lift = torch.maximum(value, bound) - value
    return value + lift
