"""The binary cross-entropy of rates and multi-hot labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from netdesc.graph import loss as sections
from netdesc.losses.loss import Loss
from netdesc.losses.rates import window_rates


class SpikeMoidLoss(Loss):
    """The binary cross-entropy of labels and ``sigmoid((rate − theta) / alpha)``.

    A sample has a label, 0 or 1, for each output neuron. The loss is the sum or the mean over
    batch, neurons and, with a window or if each step is compared, steps, as in lava-dl's
    ``SpikeMoid``.
    """

    def __init__(self, loss: sections.SpikeMoid) -> None:
        super().__init__(loss)
        self.alpha, self.theta = loss.alpha, loss.theta
        self.window_steps, self.over = loss.window_steps, loss.over

    def forward(self, output: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar; ``compare`` explains the arguments and errors."""
        logits, labels = self.logits(output, labels)
        return self.reduce(binary_cross_entropy_with_logits(logits, labels, reduction="none"))

    def logits(self, output: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what the sigmoid takes, which is above 0 for predicted labels, and the labels.

        Both are [1 or steps, batch, *shape].
        """
        over = self.over if self.window_steps is None else "each_step"
        rates, labels = self.compare(output, labels, over)
        if self.window_steps is not None:
            rates = window_rates(rates, self.window_steps)
        logits = (rates - self.theta) / self.alpha
        return logits, labels.expand(logits.shape)
