"""The operator ``spike_time``: the van Rossum distance between spike trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.registration import fake, gradient, operator

_hands_over: ContextVar[bool] = ContextVar("netdesc_hands_over", default=False)


@contextlib.contextmanager
def backward_once() -> Iterator[None]:
    """Declares that each ``spike_time`` of the block has at most one backward pass.

    That pass may then scale the stored gradient in place and return it, instead of a scaled copy.
    Nothing else may change this gradient until the pass has ended.
    """
    token = _hands_over.set(True)
    try:
        yield
    finally:
        _hands_over.reset(token)


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
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length, keep)


@fake("spike_time")
def _(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    return output_TBN.new_empty(()), output_TBN.new_empty(output_TBN.shape if keep else (0,))


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *_, ctx.keep = inputs
    ctx.hands_over = _hands_over.get()
    _, grad_TBN = output
    ctx.save_for_backward(grad_TBN)


def _spike_time_gradient(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.keep:
        raise RuntimeError("a loss was computed without keep, so that it has no backward pass")
    (grad_TBN,) = ctx.saved_tensors
    if not ctx.hands_over:
        grad_TBN = grad_TBN * grad_loss
    # To compare the factor on a GPU, the host would have to wait for it.
    elif not grad_loss.is_cpu or grad_loss.numpy() != 1.0:
        grad_TBN.mul_(grad_loss)
    return grad_TBN, -grad_TBN if ctx.needs_input_grad[1] else None, None, None, None, None


gradient("spike_time", _spike_time_gradient, _spike_time_context)
