"""Classifiers: torch modules that map output spikes to class indices.

A classifier predicts the class whose neuron spikes most. In a tie it predicts the first of these
classes; if no neuron spikes, it predicts ``SILENT``.
"""

from __future__ import annotations

from torch import Tensor, nn

from netdesc.kernels import operators
from netdesc.kernels.reference.windows import SILENT, most_active
from netdesc.losses.rates import flatten_neurons, rates


class MostSpikes(nn.Module):
    """Predicts the class whose neuron spikes most over the whole sample."""

    def forward(self, output: Tensor) -> Tensor:
        """Returns int64 predictions [batch] from spikes [steps, batch, *shape]."""
        return most_active(rates(output))


class MostSpikesInWindow(nn.Module):
    """Predicts in each step the class whose neuron spiked most in a moving window.

    The window is the last ``window_steps`` steps.
    """

    def __init__(self, window_steps: int) -> None:
        super().__init__()
        self.window_steps = window_steps

    def forward(self, output: Tensor) -> Tensor:
        """Returns int64 predictions [steps, batch] from spikes [steps, batch, *shape]."""
        return operators.window_classes(flatten_neurons(output), self.window_steps)


def majority(predictions_TB: Tensor, classes: int) -> Tensor:
    """Returns for each sample the class that is predicted in most steps, int64 [batch].

    ``predictions_TB`` is int64 [steps, batch]. A step whose prediction is ``SILENT`` does not
    count. If all steps are ``SILENT``, the sample is ``SILENT``.
    """
    column_BT = predictions_TB.T - SILENT
    votes_BC = column_BT.new_zeros(len(column_BT), classes + 1)
    votes_BC.scatter_add_(1, column_BT, column_BT.new_ones(()).expand_as(column_BT))
    return most_active(votes_BC[:, 1:])
