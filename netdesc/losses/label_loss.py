"""Losses that compare spike rates with labels, over whole samples or in a moving window."""

import torch
from torch import Tensor

from netdesc.graph import loss as sections
from netdesc.losses.loss import OVER, Loss, expand_labels, flatten_neurons, window_rates

HALF_A_SPIKE = 0.5
"""Number of spikes that a silent neuron of the label counts as, see ``SpikeMaxLoss``."""


class _LabelLoss(Loss):
    class_weights: Tensor | None

    def __init__(
        self, loss: sections.SpikeRate | sections.SpikeMax | sections.CrossEntropy
    ) -> None:
        super().__init__(loss)
        self.window_steps, self.over = loss.window_steps, loss.over
        weights = loss.class_weights
        self._has_unknown_weights = isinstance(weights, str)
        tensor = torch.tensor(weights) if isinstance(weights, tuple) else None
        self.register_buffer("class_weights", tensor, persistent=False)

    def costs(self, values: Tensor, index: Tensor, steps: int) -> Tensor:
        """Returns the costs of values [values, batch, neurons], for each neuron or for all of them.

        ``index`` are the labels [1 or values, batch, 1]. If the values are rates, ``steps`` is the
        number of steps over which spikes were counted, else 1.
        """
        raise NotImplementedError

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar, of output spikes [steps, batch, *shape].

        ``labels`` are integers [batch]; with a window, or if each step is compared, they may also
        be [steps, batch]. The costs of a label are multiplied by its class weight. Raises
        ValueError if shapes or types do not fit or the weights are still "balanced", TypeError if
        an argument is not a tensor.
        """
        self.check(output)
        if self._has_unknown_weights:
            raise ValueError(
                'class_weights "balanced" are counted in the training samples, which are not '
                "there: give them, or write numbers"
            )
        output_TBN = flatten_neurons(output)
        steps, batch, neurons = output_TBN.shape
        is_by_step = self.window_steps is not None or self.over == "each_step"
        labels = expand_labels(labels, (steps, batch) if is_by_step else (batch,), neurons)
        output_TBN = self.drop_skipped_steps(output_TBN)
        labels = self.drop_skipped_steps(labels) if is_by_step else labels
        if self.window_steps is not None:
            values, steps = window_rates(output_TBN, self.window_steps), self.window_steps
        else:
            values = OVER[self.over](output_TBN)
            steps = len(output_TBN) if self.over == "mean" else 1
        index = labels.reshape(-1, batch, 1)
        costs = self.costs(values, index, steps)
        if self.class_weights is not None:
            # Copied to a GPU once: a captured step cannot copy.
            self.class_weights = self.class_weights.to(index.device)
            costs = costs * self.class_weights[index]
        return self.reduce(costs)


class SpikeRateLoss(_LabelLoss):
    """The squared error of spike rates, ``Σ (rate − target)²``.

    The target is ``true_rate`` spikes per step for the label's neuron, and ``false_rate`` for other
    neurons. The loss is the sum or the mean over batch and neurons (with a window also over steps),
    as in lava-dl's ``SpikeRate``.
    """

    def __init__(self, loss: sections.SpikeRate) -> None:
        super().__init__(loss)
        self.true_rate, self.false_rate = loss.true_rate, loss.false_rate

    def costs(self, values: Tensor, index: Tensor, steps: int) -> Tensor:
        target = torch.full_like(values, self.false_rate)
        return (values - target.scatter_(-1, index, self.true_rate)).square()


class CrossEntropyLoss(_LabelLoss):
    """The cost ``−log softmax(values)`` at the label.

    The values are what ``over`` says of the steps. The loss is the sum or the mean over the batch
    and, if each step is compared, over steps.
    """

    def costs(self, values: Tensor, index: Tensor, steps: int) -> Tensor:
        # ``log_softmax`` would wake all threads for the few numbers of a batch.
        return values.logsumexp(-1, keepdim=True) - values.gather(-1, index)


class SpikeMaxLoss(CrossEntropyLoss):
    """The cost ``−log p(label)``, where p is ``rate / Σ rate`` or the softmax of the rates.

    The loss is the sum or the mean over the batch (with a window also over steps), as in lava-dl's
    ``SpikeMax``. If the label's neuron is silent, ``rate / Σ rate`` would give an infinite cost and
    no gradient. Therefore the rate of such a neuron is replaced by the rate of half a spike. The
    sum is then replaced, if it is lower, by the rate of half a spike in every neuron, so that all
    classes of a silent output are equally likely. The gradient is the derivative of the logarithms
    at these values.
    """

    def __init__(self, loss: sections.SpikeMax) -> None:
        super().__init__(loss)
        self.is_softmax = loss.mode == "softmax"

    def costs(self, values: Tensor, index: Tensor, steps: int) -> Tensor:
        if self.is_softmax:
            return super().costs(values, index, steps)
        label_rate, total = values.gather(-1, index), values.sum(-1, keepdim=True)
        min_rate = torch.full_like(label_rate, HALF_A_SPIKE / steps)
        min_total = torch.where(label_rate < min_rate, min_rate * values.shape[-1], 0.0)
        return _clamp_min(total, min_total).log() - _clamp_min(label_rate, min_rate).log()


def _clamp_min(value: Tensor, bound: Tensor) -> Tensor:
    """Returns the larger argument. Unlike in ``maximum``, the gradient always goes to ``value``."""
    with torch.no_grad():
        difference = torch.maximum(value, bound) - value
    return value + difference
