"""From output spikes and labels to what losses and classifiers by spike rates look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netdesc.kernels import operators
from netdesc.kernels.checks import check_tensor


def signal_of(output: Tensor) -> Tensor:
    """The output, [steps, batch, *shape] of any type, as float32 [steps, batch, neurons].

    ValueError where it is not of this form, TypeError where it is no tensor.
    """
    check_tensor("the output", output)
    if output.dim() < 3 or not output.numel():
        raise ValueError(
            f"the output has shape {list(output.shape)}; [steps, batch, *shape] is needed, each at "
            "least 1"
        )
    return output.flatten(2).to(torch.float32)


def rates(output: Tensor) -> Tensor:
    """Spikes a step of every neuron over the whole sample, float32 [batch, neurons]."""
    output_TBN = signal_of(output)
    # The gradient of ``mean`` would be a tensor of its own, that of a sum is a view.
    return output_TBN.sum(0) / output_TBN.shape[0]


@dataclass(frozen=True)
class Window:
    """A loss by labels that looks at the last so many ``steps`` in every step.

    Before the first step there are no spikes, so rates begin low. For ``costs`` and rates see
    ``operators.window_loss``.
    """

    steps: int
    costs: str
    true_rate: float = 0.0
    false_rate: float = 0.0

    def total(self, output: Tensor, labels: Tensor) -> Tensor:
        """The costs of all steps and samples; labels are [batch] or [steps, batch]."""
        output_TBN = signal_of(output)
        steps, batch, neurons = output_TBN.shape
        labels_TB = labels_like(labels, (steps, batch), neurons)
        of_costs = self.costs, self.true_rate, self.false_rate
        return operators.window_loss(output_TBN, labels_TB, self.steps, *of_costs)[0]


def labels_like(labels: Tensor, wanted: Sequence[int], classes: int) -> Tensor:
    """Labels as int64 of the shape ``wanted``: [batch] or [steps, batch].

    ``labels`` [batch] hold for every step. ValueError where they are no integers or do not fit, or,
    on the CPU, where one is no class (on a device, that would mean to wait for it); TypeError where
    they are no tensor.
    """
    check_tensor("labels", labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        kind = str(labels.dtype).removeprefix("torch.")
        raise ValueError(f"labels have type {kind}; the numbers of classes are needed")
    batch = wanted[-1]
    if labels.shape != tuple(wanted) and labels.shape != (batch,):
        each = "" if len(wanted) == 1 else f", or {list(wanted)} with one a step,"
        raise ValueError(f"labels have shape {list(labels.shape)}; [{batch}]{each} is needed")
    if labels.device.type == "cpu":
        labels = operators.class_labels(labels, classes)
    return labels.to(torch.int64).expand(tuple(wanted))
