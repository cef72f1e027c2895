"""The base of all losses."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from netdesc.graph import loss as sections
from netdesc.kernels import operators
from netdesc.kernels.checks import check_target, check_tensor


def check_output(output: Tensor) -> None:
    """ValueError unless an output is [steps, batch, *shape], TypeError if it is no tensor."""
    check_tensor("the output", output)
    if output.dim() < 3 or not output.numel():
        raise ValueError(
            f"the output has shape {list(output.shape)}; [steps, batch, *shape] is needed, each at "
            "least 1"
        )


def flatten_neurons(output: Tensor) -> Tensor:
    """Converts an output of any type to float32 [steps, batch, neurons], see ``check_output``."""
    check_output(output)
    return output.flatten(2).to(torch.float32)


def window_rates(output_TBN: Tensor, window: int) -> Tensor:
    """Returns the spikes per step of each neuron in each step's window, [steps, batch, neurons].

    A window is the last ``window`` steps. Before the first step there are no spikes.
    """
    counts_TBN = output_TBN.cumsum(0)
    rates_TBN = counts_TBN.clone()
    rates_TBN[window:] -= counts_TBN[:-window]
    return rates_TBN.div_(window)


def expand_labels(labels: Tensor, shape: tuple[int, ...], classes: int) -> Tensor:
    """Converts labels to int64 of ``shape``, which is [batch] or [steps, batch].

    Labels [batch] are repeated for every step. Raises TypeError if ``labels`` is not a tensor,
    ValueError if labels are not integers or their shape does not fit. On the CPU, also raises
    ValueError if a label is not in 0 to ``classes`` − 1; on a GPU this check would have to wait for
    the device.
    """
    check_tensor("labels", labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        kind = str(labels.dtype).removeprefix("torch.")
        raise ValueError(f"labels have type {kind}; integers, the numbers of classes, are needed")
    batch = shape[-1]
    if labels.shape != shape and labels.shape != (batch,):
        each = "" if len(shape) == 1 else f", or {list(shape)} with one per step,"
        raise ValueError(f"labels have shape {list(labels.shape)}; [{batch}]{each} is needed")
    if labels.device.type == "cpu":
        labels = operators.class_labels(labels, classes)
    return labels.to(torch.int64).expand(shape)


OVER: Mapping[str, Callable[[Tensor], Tensor]] = {
    "each_step": lambda signal: signal,
    # The gradient of a sum is a view; the gradient of ``mean`` would be a new tensor.
    "mean": lambda signal: signal.sum(0, keepdim=True) / signal.shape[0],
    "sum": lambda signal: signal.sum(0, keepdim=True),
    "max": lambda signal: signal.amax(0, keepdim=True),
    "last": lambda signal: signal[-1:],
}
"""The value of ``over`` -> what is compared of a signal [steps, batch, *shape]."""


class Loss(nn.Module):
    """Maps what a loss reads, [steps, batch, *shape], and its target to a float32 scalar.

    The target is spikes or values of the signal's shape, values [batch, *shape], or integer labels
    [batch] or [steps, batch]. The first ``skip_steps`` steps do not count. ``mean`` says that the
    loss is a mean over the batch, else a sum.
    """

    def __init__(self, loss: sections.OneLoss) -> None:
        super().__init__()
        self.skip_steps = loss.skip_steps
        self.mean = loss.reduction == "mean"

    def forward(self, signal: Tensor, target: Tensor, /) -> Tensor:
        raise NotImplementedError

    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the filtered trace of spikes. ValueError if the loss compares no traces."""
        raise ValueError(f"{type(self).__name__} compares no filtered spike trains")

    def check(self, output: Tensor) -> None:
        """Raises what ``check_output`` raises, and ValueError if no step of the output counts."""
        check_output(output)
        if output.shape[0] <= self.skip_steps:
            raise ValueError(f"the output has {len(output)} steps; skip_steps is {self.skip_steps}")

    def drop_skipped_steps(self, values: Tensor) -> Tensor:
        """Returns ``values`` [steps, …] without the first ``skip_steps`` steps."""
        # The gradient of a slice would be copied, also if the slice is the whole.
        return values[self.skip_steps :] if self.skip_steps else values

    def compare(self, signal: Tensor, target: Tensor, over: str) -> tuple[Tensor, Tensor]:
        """Returns the values that a loss compares, float32, and their targets.

        ``signal`` is [steps, batch, *shape]. ``target`` is [batch, *shape] or [1, batch, *shape]
        or, if ``over`` is ``each_step``, [steps, batch, *shape]. Both results are [values, batch,
        *shape], where the targets may have a first axis of length 1. Raises ValueError if the
        shapes do not fit, TypeError if an argument is not a tensor.
        """
        self.check(signal)
        check_target(target, signal)
        steps = len(signal)
        if target.shape == signal.shape[1:]:
            target = target.unsqueeze(0)
        lengths = (1, steps) if over == "each_step" else (1,)
        if target.shape[1:] != signal.shape[1:] or target.shape[0] not in lengths:
            by_step = f", or {list(signal.shape)} with one per step," if len(lengths) > 1 else ""
            raise ValueError(
                f"the target has shape {list(target.shape)}; {list(signal.shape[1:])}{by_step} is "
                "needed"
            )
        values = OVER[over](self.drop_skipped_steps(signal).float())
        return values, target[-len(values) :].float()

    def reduce(self, costs: Tensor) -> Tensor:
        """Returns the sum or the mean of costs [values, batch, *shape]."""
        # Sums over one axis, unlike sums over all, do not depend on the number of threads.
        total = costs.flatten(2).sum(0).sum(0).sum()
        return total / costs.numel() if self.mean else total
