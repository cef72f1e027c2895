"""The squared error of values, as a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from netdesc.graph import nodes
from netdesc.kernels.checks import check_tensor
from netdesc.losses.loss import Loss

_REDUCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "each_step": lambda output: output,
    "mean": lambda output: output.mean(0, keepdim=True),
    "sum": lambda output: output.sum(0, keepdim=True),
    "max": lambda output: output.amax(0, keepdim=True),
    "last": lambda output: output[-1:],
}
"""The value of ``over`` -> what is compared of an output [steps, batch, *shape]."""


class MeanSquaredErrorLoss(Loss):
    """The squared error ``Σ (output − target)²`` of values.

    The output is spikes or graded values. ``over`` says what is compared of it: each step, or the
    mean, the sum, the largest or the last of the steps. The first ``skip_steps`` steps do not
    count. The loss is the mean or the sum over batch, neurons and, for each step, steps.
    """

    def __init__(self, loss: nodes.MeanSquaredError) -> None:
        super().__init__()
        self.over, self.skip_steps = loss.over, loss.skip_steps
        self.mean = loss.reduction == "mean"

    def compare(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values that the loss compares, float32, and their targets.

        ``output`` is [steps, batch, *shape]. ``target`` is [batch, *shape] or [1, batch, *shape]
        or, if each step is compared, [steps, batch, *shape]. Both results are [values, batch,
        *shape], where the targets may have a first axis of length 1. Raises ValueError if the
        shapes do not fit, TypeError if an argument is not a tensor.
        """
        check_tensor("the output", output)
        check_tensor("the target", target)
        steps = output.shape[0] if output.dim() else 0
        if output.dim() < 3 or not output.numel():
            raise ValueError(
                f"the output has shape {list(output.shape)}; [steps, batch, *shape] is needed, "
                "each at least 1"
            )
        if steps <= self.skip_steps:
            raise ValueError(f"the output has {steps} steps; skip_steps is {self.skip_steps}")
        if target.shape == output.shape[1:]:
            target = target.unsqueeze(0)
        lengths = (1, steps) if self.over == "each_step" else (1,)
        if target.shape[1:] != output.shape[1:] or target.shape[0] not in lengths:
            by_step = f", or {list(output.shape)} with one per step," if len(lengths) > 1 else ""
            raise ValueError(
                f"the target has shape {list(target.shape)}; {list(output.shape[1:])}{by_step} is "
                "needed"
            )
        values = _REDUCTIONS[self.over](output[self.skip_steps :].to(torch.float32))
        return values, target[-len(values) :].to(torch.float32)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar; ``compare`` explains the arguments and errors."""
        values, target = self.compare(output, target)
        squares = (values - target).square()
        # Sums over one axis, unlike sums over all, do not depend on the number of threads.
        total = squares.flatten(2).sum(0).sum(0).sum()
        return total / squares.numel() if self.mean else total
