"""The operator ``spike_time``: the van Rossum distance between spike trains."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.registration import fake, gradient, operator


@operator
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """Returns the loss ``Σ f²`` [], ``f = h ∗ (output − target)``, and its gradient by the output.

    The filter h is ``decayⁿ``, convolved ``order − 1`` times with itself and cut to ``length``
    steps; ``reference.van_rossum`` defines it. The gradient [steps, batch, neurons] is computed
    here, while f is in the cache. It is empty unless ``keep``: unless a backward pass follows.
    """
    check_signal("an output", output_TBN)
    check_signal("a target", target_TBN)
    if output_TBN.shape != target_TBN.shape:
        raise ValueError(
            f"the output has shape {list(output_TBN.shape)}, its target {list(target_TBN.shape)}"
        )
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length, keep)


@fake("spike_time")
def _(output_TBN: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return output_TBN.new_empty(()), output_TBN.new_empty(output_TBN.shape if others[-1] else (0,))


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.keep = inputs[-1]
    ctx.save_for_backward(output[1])


def _spike_time_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.keep:
        raise RuntimeError("a loss was computed without keep, so that it has no backward pass")
    (gradient,) = ctx.saved_tensors
    grad_output = gradient if _is_one(grad_loss) else gradient * grad_loss
    grad_target = -grad_output if ctx.needs_input_grad[1] else None
    return grad_output, grad_target, None, None, None, None


def _is_one(number: Tensor) -> bool:
    """Whether a scalar is 1, as of a loss alone. It is not read if that waits for a device."""
    # The tensors of torch's compiler, which have no numbers, are of subclasses.
    return type(number) is Tensor and number.device.type == "cpu" and number.item() == 1.0


gradient("spike_time", _spike_time_gradient, _spike_time_context)
