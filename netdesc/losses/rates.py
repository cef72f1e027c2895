"""Spike rates and checks of labels, for losses and classifiers."""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels import operators
from netdesc.kernels.checks import check_tensor


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
