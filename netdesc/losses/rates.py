"""Spike rates of output neurons, over the whole sample or in a window that moves with the steps."""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels import operators
from netdesc.kernels.checks import check_tensor


def rates(output: Tensor, window_steps: int | None) -> Tensor:
    """Spikes a step of every neuron, float32 [batch, neurons], or [steps, batch, neurons].

    With ``window_steps`` the rate in a step is that of the last so many steps; before the first
    step there are no spikes, so rates begin low. ``output`` is [steps, batch, *shape] of any type;
    ValueError where it is not of this form, TypeError where it is no tensor.
    """
    check_tensor("the output", output)
    if output.dim() < 3 or not output.numel():
        raise ValueError(
            f"the output has shape {list(output.shape)}; [steps, batch, *shape] is needed, each at "
            "least 1"
        )
    output_TBN = output.flatten(2).to(torch.float32)
    if window_steps is None:
        # The gradient of ``mean`` would be a tensor of its own, that of a sum is a view.
        return output_TBN.sum(0) / output_TBN.shape[0]
    counts_TBN = output_TBN.cumsum(0)
    in_window = counts_TBN[window_steps:] - counts_TBN[:-window_steps]
    return torch.cat([counts_TBN[:window_steps], in_window]) / window_steps


def labels_like(rate: Tensor, labels: Tensor, batch: int) -> Tensor:
    """Labels as int64 of the shape of ``rate`` without its neurons: [batch] or [steps, batch].

    ``labels`` [batch] hold for every step. ValueError where they are no integers or do not fit, or,
    on the CPU, where one is no class (on a device, that would mean to wait for it); TypeError where
    they are no tensor.
    """
    check_tensor("labels", labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        kind = str(labels.dtype).removeprefix("torch.")
        raise ValueError(f"labels have type {kind}; the numbers of classes are needed")
    wanted = rate.shape[:-1]
    if labels.shape != wanted and labels.shape != (batch,):
        each = "" if len(wanted) == 1 else f", or {list(wanted)} with one a step,"
        raise ValueError(f"labels have shape {list(labels.shape)}; [{batch}]{each} is needed")
    if labels.device.type == "cpu":
        labels = operators.class_labels(labels, rate.shape[-1])
    return labels.to(torch.int64).expand(wanted)
