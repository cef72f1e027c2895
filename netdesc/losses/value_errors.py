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
    mean_absolute_error: float
    explained_variance: float | None
    """1 − Σ(value − target)² / Σ(target − mean target)²: 1 is perfect, 0 is as good as the mean of
    each output's targets. None if the targets are all equal."""
    smape: float
    """The symmetric mean absolute percentage error, 0 to 2: the mean of |value − target| divided by
    (|value| + |target|) / 2. It is 0 where both are 0."""


class ValueErrorSums:
    """Sums errors on the device, in float64; ``errors`` reads them."""

    def __init__(self, loss: MeanSquaredErrorLoss) -> None:
        self._loss = loss
        self._count = 0
        self._sums: Tensor | None = None
        self._first_target: Tensor | None = None
        self._target_moments: list[Tensor] = []

    @torch.no_grad()
    def add(self, output: Tensor, target: Tensor) -> None:
        """Adds a batch; the arguments are those of the loss."""
        values, targets = (
            each.double() for each in self._loss.compare(output, target, self._loss.over)
        )
        targets = targets.expand(values.shape)
        error = (values - targets).abs()
        scale = (values.abs() + targets.abs()) / 2
        relative = torch.where(scale > 0, error / scale, 0.0)
        sums = torch.stack([each.sum() for each in (error.square(), error, relative)])
        self._sums = sums if self._sums is None else self._sums + sums
        self._count += values.numel()
        targets = targets.flatten(2)
        if self._first_target is None:
            self._first_target = targets[:1, :1]
        deviations = targets - self._first_target  # exactly 0 if all are equal, unlike from a mean
        moments = (deviations, deviations.square())
        self._target_moments.append(torch.stack([each.sum((0, 1)) for each in moments]))

    def errors(self) -> ValueErrors:
        """Returns the errors of all batches, of which there is at least one."""
        assert self._sums is not None, "no batch was added"
        squared, absolute, relative = self._sums.tolist()
        total_N, squares_N = torch.stack(self._target_moments).sum(0)
        each = self._count / len(total_N)
        variation = float((squares_N - total_N.square() / each).clamp(min=0).sum())
        return ValueErrors(
            math.sqrt(squared / self._count),
            absolute / self._count,
            1 - squared / variation if variation > 0 else None,
            relative / self._count,
        )
