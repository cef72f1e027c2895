"""The operator ``spike_time``: the van Rossum distance between spike trains."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.registration import fake, gradient, operator


@operator
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int
) -> tuple[Tensor, Tensor]:
    """Returns the loss ``Σ f²`` [] and ``f = h ∗ (output − target)`` [steps, batch, neurons].

    The filter h is ``decayⁿ``, convolved ``order − 1`` times with itself and cut to ``length``
    steps; ``reference.van_rossum`` defines it. The backward pass reads f.
    """
    check_signal("an output", output_TBN)
    check_signal("a target", target_TBN)
    if output_TBN.shape != target_TBN.shape:
        raise ValueError(
            f"the output has shape {list(output_TBN.shape)}, its target {list(target_TBN.shape)}"
        )
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length)


@operator
def spike_time_backward(
    filtered_TBN: Tensor, grad_loss: Tensor, decay: float, order: int, length: int
) -> Tensor:
    """Returns the gradient of the output: ``2 · grad_loss · f``, filtered with h backward in time.

    ``filtered_TBN`` is f.
    """
    engine = engine_for(filtered_TBN.device)
    return engine.spike_time_backward(filtered_TBN, grad_loss, decay, order, length)


@fake("spike_time")
def _(output_TBN: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return output_TBN.new_empty(()), output_TBN.new_empty(output_TBN.shape)


@fake("spike_time_backward")
def _(filtered_TBN: Tensor, *_: Any) -> Tensor:
    return filtered_TBN.new_empty(filtered_TBN.shape)


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, _, *ctx.filter = inputs
    ctx.save_for_backward(output[1])


def _spike_time_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    grad_output = spike_time_backward(*ctx.saved_tensors, grad_loss, *ctx.filter)
    grad_target = -grad_output if ctx.needs_input_grad[1] else None
    return grad_output, grad_target, None, None, None


gradient("spike_time", _spike_time_gradient, _spike_time_context)
