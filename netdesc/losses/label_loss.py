"""Losses of spike rates against labels, over whole samples or in a moving window."""

from __future__ import annotations

from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.kernels import operators
from netdesc.kernels.reference.windows import COSTS, CostParameters
from netdesc.losses.rates import expand_labels, flatten_neurons, rates


class _LabelLoss(nn.Module):
    """A loss against labels; ``operators.window_loss`` describes ``costs`` and rates."""

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

        Labels are [batch], or [steps, batch] if the loss has a window. Raises ValueError if shapes
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

    The target of the label's neuron is ``true_rate`` spikes per step, of the others ``false_rate``.
    The loss is the sum over batch and neurons (with a window also over steps), or their mean, as in
    lava-dl's ``SpikeRate``.
    """

    def __init__(self, loss: nodes.SpikeRate) -> None:
        super().__init__("squares", loss, loss.true_rate, loss.false_rate)


class SpikeMax(_LabelLoss):
    """``−log p(label)``, where p is ``rate / Σ rate`` or the softmax of the rates.

    The loss is the sum over the batch (with a window also over steps), or the mean, as in lava-dl's
    ``SpikeMax``. If the label's neuron is silent, ``rate / Σ rate`` would give an infinite cost and
    no gradient. So a silent neuron of a label counts as half a spike, and the sum as at least half
    a spike per neuron; then all classes of a silent output are equally likely. The gradient is the
    gradient of the logarithms at these values.
    """

    def __init__(self, loss: nodes.SpikeMax) -> None:
        super().__init__("softmax" if loss.mode == "softmax" else "likelihood", loss)
