"""The classifier: a torch module that maps the output to class indices.

It predicts the class whose neuron spikes most, or has the largest values. In a tie it predicts the
first of these classes; if all values are 0, it predicts ``SILENT``.
"""

import torch
from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.losses.loss import OVER, flatten_neurons, window_rates

SILENT = -1
"""Class of an output without spikes."""


class OutputClassifier(nn.Module):
    """Predicts one class for a sample, or one in each step that counts.

    The first ``skip_steps`` steps do not count. What is compared of the others is their mean, sum,
    maximum or last value (``over``), or the rates in a moving window of ``window_steps`` steps.
    """

    def __init__(self, classifier: nodes.Classifier) -> None:
        super().__init__()
        self.is_softmax, self.skip_steps = classifier.is_softmax, classifier.skip_steps
        self.over, self.window_steps = classifier.over, classifier.window_steps

    def counted(self, output: Tensor) -> Tensor:
        """Returns the output of the steps that count, [steps, batch, neurons]."""
        return flatten_neurons(output)[self.skip_steps :]

    def values(self, output: Tensor) -> Tensor:
        """Returns what is compared of the output neurons, [batch, classes] or [steps, …]."""
        counted = self.counted(output)
        if self.window_steps is not None:
            return window_rates(counted, self.window_steps)
        return OVER[self.over](counted)[0]

    def forward(self, output: Tensor) -> Tensor:
        """Returns int64 predictions, [batch] or [steps, batch], of outputs [steps, batch, …]."""
        return most_active(self.values(output))

    @torch.no_grad()
    def confidence(self, output: Tensor) -> Tensor:
        """Returns how sure the predictions are, 0 to 1, of the shape of the predictions.

        It is the predicted class's share of the spikes, 0 of a silent output, or its softmax.
        """
        values = self.values(output)
        if self.is_softmax:
            return values.softmax(-1).amax(-1)
        largest = values.amax(-1)
        return torch.where(largest > 0, largest / values.sum(-1), 0.0)


def judged_values(values: Tensor, labels: Tensor) -> Tensor:
    """Returns the numbers whose largest decides on the class of each label, [*labels, classes].

    ``values`` are those of ``OutputClassifier.values``. If they are [steps, batch, classes] and
    labels [batch], the numbers are those of the steps that predict each class. If they are [batch,
    classes] and labels [steps, batch], the values count in every step.
    """
    if values.dim() == 3 and labels.dim() == 1:
        return count_votes(most_active(values), values.shape[-1])
    return values.expand(*labels.shape, -1)


def is_in_top(values: Tensor, labels: Tensor, count: int) -> Tensor:
    """Returns whether each label is among the ``count`` classes of the largest values.

    ``values`` are [*labels, classes]. Of equal values, those of the first classes are taken. A
    label whose value is 0 is not among them, unless a value is below 0.
    """
    own = values.gather(-1, labels.unsqueeze(-1))
    is_first = torch.arange(values.shape[-1], device=labels.device) < labels.unsqueeze(-1)
    rank = ((values > own) | ((values == own) & is_first)).sum(-1)
    return (rank < count) & ((own.squeeze(-1) != 0) | (values.amin(-1) < 0))


def majority(predictions_TB: Tensor, classes: int) -> Tensor:
    """Returns for each sample the class that is predicted in most steps, int64 [batch].

    If all steps are ``SILENT``, the sample is ``SILENT``. See ``count_votes``.
    """
    return most_active(count_votes(predictions_TB, classes))


def count_votes(predictions_TB: Tensor, classes: int) -> Tensor:
    """Returns for each sample the number of steps that predict each class, [batch, classes].

    ``predictions_TB`` is int64 [steps, batch]. Steps whose prediction is ``SILENT`` do not count.
    """
    column_BT = predictions_TB.T - SILENT
    votes_BC = column_BT.new_zeros(len(column_BT), classes + 1)
    votes_BC.scatter_add_(1, column_BT, column_BT.new_ones(()).expand_as(column_BT))
    return votes_BC[:, 1:]


def most_active(amounts: Tensor) -> Tensor:
    """Returns the index of the largest number on the last axis, int64.

    In a tie, it is the first such index. It is ``SILENT`` if all numbers are 0.
    """
    # ``max`` would return both results, but wakes all threads, which can take milliseconds.
    return amounts.argmax(-1).masked_fill(~amounts.any(-1), SILENT)
