"""Losses of values and of multi-hot labels, and sums of the errors of values over batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from netdesc.graph import loss as sections
from netdesc.losses.loss import Loss, window_rates


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


@dataclass(frozen=True)
class ValueErrors:
    """How far the values that the loss compares are from their targets."""

    root_mean_squared_error: float
    smape: float
    """The symmetric mean absolute percentage error, 0 to 2: the mean of |value − target| divided by
    (|value| + |target|) / 2. It is 0 where both are 0."""


class ValueErrorSums:
    """Sums errors on the device, in float64; ``errors`` reads them."""

    def __init__(self, loss: MeanSquaredErrorLoss) -> None:
        self._loss = loss
        self._count = 0
        self._sums: Tensor | None = None

    @torch.no_grad()
    def add(self, output: Tensor, target: Tensor) -> None:
        """Adds a batch; the arguments are those of the loss."""
        values, targets = (
            each.double() for each in self._loss.compare(output, target, self._loss.over)
        )
        error = (values - targets).abs()
        scale = (values.abs() + targets.abs()) / 2
        relative = torch.where(scale > 0, error / scale, 0.0)
        sums = torch.stack([error.square().sum(), relative.sum()])
        self._sums = sums if self._sums is None else self._sums + sums
        self._count += values.numel()

    def errors(self) -> ValueErrors:
        """Returns the errors of all batches, of which there is at least one."""
        assert self._sums is not None, "no batch was added"
        squared, relative = (self._sums / self._count).tolist()
        return ValueErrors(math.sqrt(squared), relative)
