"""Losses that compare spike rates with labels, over whole samples or in a moving window."""

from __future__ import annotations

from torch import Tensor

from netdesc.graph import loss as sections
from netdesc.losses.loss import OVER, Loss
from netdesc.losses.rates import expand_labels, flatten_neurons
from netdesc.losses.windows import COSTS, CostParameters, window_rates


class _LabelLoss(Loss):
    """A loss that compares values with labels; ``costs`` names one of ``COSTS``."""

    def __init__(
        self,
        costs: str,
        loss: sections.SpikeRate | sections.SpikeMax | sections.CrossEntropy,
        true_rate: float = 0.0,
        false_rate: float = 0.0,
    ) -> None:
        super().__init__(loss)
        self.costs, self.true_rate, self.false_rate = costs, true_rate, false_rate
        self.window_steps, self.over = getattr(loss, "window_steps", None), loss.over

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar, of output spikes [steps, batch, *shape].

        ``labels`` are integers [batch]; with a window, or if each step is compared, they may also
        be [steps, batch]. Raises ValueError if shapes or types do not fit, TypeError if an argument
        is not a tensor.
        """
        self.check(output)
        output_TBN = flatten_neurons(output)
        steps, batch, neurons = output_TBN.shape
        is_by_step = self.window_steps is not None or self.over == "each_step"
        labels = expand_labels(labels, (steps, batch) if is_by_step else (batch,), neurons)
        if self.skip_steps:
            output_TBN, steps = output_TBN[self.skip_steps :], steps - self.skip_steps
            labels = labels[self.skip_steps :] if is_by_step else labels
        parameters = CostParameters(steps, self.true_rate, self.false_rate)
        if self.window_steps is not None:
            values_VBN = window_rates(output_TBN, self.window_steps)
            parameters = parameters._replace(steps=self.window_steps)
        else:
            values_VBN = OVER[self.over](output_TBN)
            if self.over != "mean":
                parameters = parameters._replace(steps=1)
        index = labels.reshape(-1, batch, 1)
        return self.reduce(COSTS[self.costs](values_VBN, index, parameters))


class SpikeRateLoss(_LabelLoss):
    """The squared error of spike rates, ``Σ (rate − target)²``.

    The target is ``true_rate`` spikes per step for the label's neuron, and ``false_rate`` for other
    neurons. The loss is the sum or the mean over batch and neurons (with a window also over steps),
    as in lava-dl's ``SpikeRate``.
    """

    def __init__(self, loss: sections.SpikeRate) -> None:
        super().__init__("squares", loss, loss.true_rate, loss.false_rate)


class SpikeMaxLoss(_LabelLoss):
    """The cost ``−log p(label)``, where p is ``rate / Σ rate`` or the softmax of the rates.

    The loss is the sum or the mean over the batch (with a window also over steps), as in lava-dl's
    ``SpikeMax``. If the label's neuron is silent, ``rate / Σ rate`` would give an infinite cost and
    no gradient. Therefore the rate of such a neuron is replaced by the rate of half a spike. The
    sum is then replaced, if it is lower, by the rate of half a spike in every neuron, so that all
    classes of a silent output are equally likely. The gradient is the derivative of the logarithms
    at these values.
    """

    def __init__(self, loss: sections.SpikeMax) -> None:
        super().__init__("softmax" if loss.mode == "softmax" else "likelihood", loss)


class CrossEntropyLoss(_LabelLoss):
    """The cost ``−log softmax(values)`` at the label.

    The values are what ``over`` says of the steps. The loss is the sum or the mean over the batch
    and, if each step is compared, over steps.
    """

    def __init__(self, loss: sections.CrossEntropy) -> None:
        super().__init__("softmax", loss)
