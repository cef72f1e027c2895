"""The operators ``spike_time``, a distance of spike trains, and ``class_labels``, a check."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_device, check_signal
from netdesc.kernels.engines import engine_for
from netdesc.kernels.registration import fake, gradient, operator


@operator
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """Returns the loss ``Σ f²`` [] and its gradient with respect to the output, both float32.

    f is ``h ∗ (output − target)``. The filter h is ``decayⁿ``, convolved ``order − 1`` times with
    itself and cut to ``length`` steps; ``reference.van_rossum`` defines it. ``keep`` says whether a
    backward pass follows: the gradient is [steps, batch, neurons] if it does, else empty, [0]. The
    gradient is computed together with the loss, while f is in the CPU's cache.
    """
    check_signal("an output", output_TBN)
    check_signal("a target", target_TBN)
    if output_TBN.shape != target_TBN.shape:
        raise ValueError(
            f"the output has shape {list(output_TBN.shape)}, its target {list(target_TBN.shape)}"
        )
    check_device("the target", target_TBN, output_TBN.device)
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length, keep)


@fake("spike_time")
def _(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    return output_TBN.new_empty(()), output_TBN.new_empty(output_TBN.shape if keep else (0,))


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *_, ctx.keep = inputs
    _, grad_TBN = output
    ctx.save_for_backward(grad_TBN)


def _spike_time_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.keep:
        raise RuntimeError("a loss was computed without keep, so that it has no backward pass")
    (grad_TBN,) = ctx.saved_tensors
    grad_output = grad_TBN * grad_loss
    return grad_output, -grad_output if ctx.needs_input_grad[1] else None, None, None, None, None


gradient("spike_time", _spike_time_gradient, _spike_time_context)


@operator
def class_labels(labels: Tensor, classes: int) -> Tensor:
    """Returns integer labels as int64. Raises ValueError unless all are 0 to ``classes`` − 1."""
    labels = labels.to(torch.int64, copy=True)  # a small type may not hold ``classes``
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.numel():
        raise ValueError(
            f"a label is {wrong[0].item()}; with {classes} classes, labels are 0 to {classes - 1}"
        )
    return labels


@fake("class_labels")
def _(labels: Tensor, classes: int) -> Tensor:
    return labels.new_empty(labels.shape, dtype=torch.int64)
