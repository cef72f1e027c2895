"""Sums the errors of values over batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from netdesc.losses.mean_squared_error import MeanSquaredErrorLoss


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
