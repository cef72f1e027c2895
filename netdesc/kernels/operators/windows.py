"""The operators ``window_loss`` and ``window_classes``, which count spikes in a moving window."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.reference.windows import COSTS
from netdesc.kernels.registration import fake, gradient, operator


def _check(output_TBN: Tensor, window: int) -> None:
    check_signal("an output", output_TBN)
    if window < 1:
        raise ValueError(f"a window of {window} steps; at least 1 is needed")


@operator
def window_loss(
    output_TBN: Tensor,
    labels_TB: Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> Tensor:
    """Returns the sum of the costs of all steps and samples, a float32 scalar.

    ``costs`` is ``squares``, ``softmax`` or ``likelihood``, see ``reference.windows``. ``squares``
    are squared distances of the neurons' rates from ``true_rate`` (the label's neuron) or
    ``false_rate`` (other neurons). ``labels_TB`` is the label of each step and sample, int64; the
    caller checks the range of labels.
    """
    _check(output_TBN, window)
    if labels_TB.shape != output_TBN.shape[:2] or labels_TB.dtype != torch.int64:
        raise ValueError(
            f"labels of type {labels_TB.dtype} and shape {list(labels_TB.shape)} do not fit an "
            f"output of shape {list(output_TBN.shape)}; one for each step and sample is needed"
        )
    if costs not in COSTS:
        raise ValueError(f"unknown costs '{costs}'; known are {', '.join(COSTS)}")
    engine = engine_for(output_TBN.device)
    return engine.window_loss(output_TBN, labels_TB, window, costs, true_rate, false_rate)


@operator
def window_loss_backward(
    output_TBN: Tensor,
    labels_TB: Tensor,
    grad_loss: Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> Tensor:
    """Returns the gradient of the output, [steps, batch, neurons]."""
    engine = engine_for(output_TBN.device)
    return engine.window_loss_backward(
        output_TBN, labels_TB, grad_loss, window, costs, true_rate, false_rate
    )


@operator
def window_classes(output_TBN: Tensor, window: int) -> Tensor:
    """Returns the neuron that spiked most in the last ``window`` steps, int64 [steps, batch].

    In a tie, it is the first of these neurons. It is −1 if no neuron spiked.
    """
    _check(output_TBN, window)
    return engine_for(output_TBN.device).window_classes(output_TBN, window)


@fake("window_loss")
def _(output_TBN: Tensor, *_: Any) -> Tensor:
    return output_TBN.new_empty(())


@fake("window_loss_backward")
def _(output_TBN: Tensor, *_: Any) -> Tensor:
    return output_TBN.new_empty(output_TBN.shape)


@fake("window_classes")
def _(output_TBN: Tensor, window: int) -> Tensor:
    return output_TBN.new_empty(output_TBN.shape[:2], dtype=torch.int64)


def _window_loss_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    output_TBN, labels_TB, *ctx.costs = inputs
    ctx.save_for_backward(output_TBN, labels_TB)


def _window_loss_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    grad_TBN = window_loss_backward(*ctx.saved_tensors, grad_loss, *ctx.costs)
    return grad_TBN, *[None] * 5


gradient("window_loss", _window_loss_gradient, _window_loss_context)
