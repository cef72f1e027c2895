"""The squared error of values, as a loss."""

from __future__ import annotations

from torch import Tensor

from netdesc.graph import loss as sections
from netdesc.losses.loss import Loss


class MeanSquaredErrorLoss(Loss):
    """The squared error ``Σ (output − target)²`` of values.

    The output is spikes or graded values. ``over`` says what is compared of it: each step, or the
    mean, the sum, the largest or the last of the steps. The loss is the mean or the sum over batch,
    neurons and, for each step, steps.
    """

    def __init__(self, loss: sections.MeanSquaredError) -> None:
        super().__init__(loss)
        self.over = loss.over

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar; ``compare`` explains the arguments and errors."""
        values, target = self.compare(output, target, self.over)
        return self.reduce((values - target).square())
