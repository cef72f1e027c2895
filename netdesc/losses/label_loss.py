"""Losses of spike rates against labels, over whole samples or in a moving window."""

from __future__ import annotations

from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.kernels import operators
from netdesc.kernels.reference.windows import COSTS, CostParameters
from netdesc.losses.rates import expand_labels, flatten_neurons, rates


class _LabelLoss(nn.Module):
    """A loss against labels; ``costs`` and rates are those of ``operators.window_loss``."""

    def __init__(
        self,
        costs: str,
        loss: nodes.SpikeRate | nodes.SpikeMax,
        true_rate: float = 0.0,
        false_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.costs, self.true_rate, self.false_rate = costs, true_rate, false_rate
        self.window_steps = loss.window_steps
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """A float32 scalar from spikes [steps, batch, *shape] and integer labels.

        Labels are [batch], or [steps, batch] where the loss has a window. ValueError where shapes
        or types do not fit.
        """
        output_TBN = flatten_neurons(output)
        steps, batch, neurons = output_TBN.shape
        targets = self.true_rate, self.false_rate
        if self.window_steps is None:
            cost_count = batch
            index = expand_labels(labels, (batch,), neurons).unsqueeze(-1)
            parameters = CostParameters(steps, *targets)
            total = COSTS[self.costs].value(rates(output_TBN), index, parameters).sum()
        else:
            cost_count = steps * batch
            labels_TB = expand_labels(labels, (steps, batch), neurons)
            total = operators.window_loss(
                output_TBN, labels_TB, self.window_steps, self.costs, *targets
            )
        costs = cost_count * neurons if COSTS[self.costs].are_by_neuron else cost_count
        return total / costs if self.mean else total


class SpikeRate(_LabelLoss):
    """``Σ (rate − target)²``: squared error of spike rates.

    The target of the label's neuron is ``true_rate`` spikes a step, of the others ``false_rate``.
    Summed over batch and neurons, and with a window over steps, or the mean over all of these (as
    in lava-dl's ``SpikeRate``).
    """

    def __init__(self, loss: nodes.SpikeRate) -> None:
        super().__init__("squares", loss, loss.true_rate, loss.false_rate)


class SpikeMax(_LabelLoss):
    """``−log p(label)``, where ``p = rate / Σ rate``, or the softmax of the rates.

    Summed over the batch, and with a window over steps, or the mean over these (as in lava-dl's
    ``SpikeMax``). Where the label's neuron is silent, ``rate / Σ rate`` would cost infinitely much
    and teach nothing. It then counts as half a spike, and all neurons together as at least half a
    spike each: a silent output says nothing, so that every class is as likely. The gradient is that
    of the logarithms at these values.
    """

    def __init__(self, loss: nodes.SpikeMax) -> None:
        super().__init__("softmax" if loss.mode == "softmax" else "likelihood", loss)
