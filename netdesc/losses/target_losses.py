"""Losses that compare with spike trains, values or multi-hot labels, and sums of their errors."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from netdesc.graph import loss as sections
from netdesc.kernels import operators
from netdesc.kernels.checks import check_same_shape, check_target, check_tensor
from netdesc.kernels.reference.van_rossum import filter_signal
from netdesc.losses.loss import Loss, window_rates


class SpikeTimeLoss(Loss):
    """The distance ``Σ (h ∗ (output − target))²`` with an exponential filter h (van Rossum, 2001).

    The operator ``spike_time`` computes it; ``kernels.reference.van_rossum`` defines it.

    The filter is ``exp(−n · step / time constant)`` over steps n, convolved ``filter_order − 1``
    times with itself and cut to ``filter_steps`` steps. The loss is the sum or the mean over steps,
    batch and neurons. The sum has no factor ½ and is not divided by the number of steps, so that
    losses can be compared with published results.
    """

    def __init__(self, loss: sections.SpikeTime, step_ms: float) -> None:
        super().__init__(loss)
        decay = math.exp(-step_ms / loss.time_constant_ms)
        self._filter = decay, loss.filter_order, loss.filter_steps

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar.

        ``output`` and ``target`` are spikes [steps, batch, *shape] of any type. Raises ValueError
        if their shapes differ or have fewer than 3 axes, TypeError if an argument is not a tensor.
        """
        self.check(output)
        check_target(target, output)
        check_same_shape(target, output)
        output_TBN, target_TBN = [
            self.drop_skipped_steps(each).flatten(2).to(torch.float32) for each in (output, target)
        ]
        # Also if the output needs no gradient: torch.export and vmap do not show whether it does.
        keep = torch.is_grad_enabled()
        total, _ = operators.spike_time.unchecked(output_TBN, target_TBN, *self._filter, keep)
        return total / output_TBN.numel() if self.mean else total

    @torch.no_grad()
    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the trace that the loss compares: spikes filtered by h, float32.

        Its time grows with the number of steps times the number of the filter's steps.
        ``spikes`` [steps, …] of any type begin with the axis of the steps; the trace has the same
        shape and no gradient. Raises ValueError for a scalar or an empty tensor, TypeError if
        ``spikes`` is not a tensor.

        >>> trace = compiled.loss.filter(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        >>> trace.round(decimals=4)
        tensor([0.0000, 1.0000, 1.2131, 1.1036])
        """
        check_tensor("a spike train", spikes)
        if not spikes.dim() or not spikes.numel():
            raise ValueError(f"[steps, …] is needed, each at least 1, not {list(spikes.shape)}")
        train_T1N = spikes.reshape(len(spikes), 1, -1)
        trace_T1N = filter_signal(train_T1N, *self._filter)
        return trace_T1N.to(torch.float32).reshape(spikes.shape)


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
    r2: float | None
    """The coefficient of determination, 1 if all values are their targets: the mean over outputs of
    1 − Σ (value − target)² / Σ (target − mean)². None if the targets of an output do not vary."""


class ValueErrorSums:
    """Sums errors on the device, in float64; ``errors`` reads them."""

    def __init__(self, loss: MeanSquaredErrorLoss) -> None:
        self._loss = loss
        self._count = 0
        self._sums: Tensor | None = None

    @torch.no_grad()
    def add(self, output: Tensor, target: Tensor) -> None:
        """Adds a batch; the arguments are those of the loss."""
        compared = self._loss.compare(output, target, self._loss.over)
        values, targets = torch.broadcast_tensors(*(tensor.double() for tensor in compared))
        error = (values - targets).abs()
        scale = (values.abs() + targets.abs()) / 2
        relative = torch.where(scale > 0, error / scale, 0.0)
        numbers = torch.stack([error.square(), relative, targets, targets.square()])
        sums = numbers.flatten(3).sum((1, 2))
        self._sums = sums if self._sums is None else self._sums + sums
        self._count += values.shape[0] * values.shape[1]

    def errors(self) -> ValueErrors:
        """Returns the errors of all batches, of which there is at least one."""
        assert self._sums is not None, "no batch was added"
        squared, relative, mean, mean_square = (self._sums / self._count).unbind()
        variance = mean_square - mean.square()
        varies = bool((variance > 1e-12 * mean_square).all())
        r2 = float((1 - squared / variance).mean()) if varies else None
        return ValueErrors(math.sqrt(squared.mean()), float(relative.mean()), r2)
