"""The operator ``leaky``: the current of CUBA neurons, for layers that normalise it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from netdesc.kernels.checks import check_per_neuron, check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.parameter_grid import parameter_gradient
from netdesc.kernels.registration import fake, gradient, operator


@operator
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """Returns the current of CUBA neurons [steps, batch, neurons], in multiples of 1/4096.

    ``z_TBN`` is the synaptic input, ``decay`` is [] or [neurons].
    """
    check_signal("an input", z_TBN)
    check_per_neuron("a decay", decay, z_TBN.shape[2], shared=1)
    return engine_for(z_TBN.device).leaky(z_TBN, decay)


@operator
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """Returns the gradient of the input, and the gradient of the decay [neurons].

    ``u_TBN`` is the current. Only ``learn`` needs it; otherwise it may be empty.
    """
    return engine_for(grad_u_TBN.device).leaky_backward(grad_u_TBN, u_TBN, decay, learn)


@fake("leaky")
def _(z_TBN: Tensor, decay: Tensor) -> Tensor:
    return z_TBN.new_empty(z_TBN.shape)


@fake("leaky_backward")
def _(grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool) -> tuple[Tensor, Tensor]:
    return grad_u_TBN.new_empty(grad_u_TBN.shape), grad_u_TBN.new_empty(grad_u_TBN.shape[2])


def _leaky_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    decay = inputs[1]
    ctx.save_for_backward(output if decay.requires_grad else output.new_empty(0), decay)


def _leaky_gradient(ctx: Any, grad_u: Tensor) -> tuple[Tensor, Tensor | None]:
    u_TBN, decay = ctx.saved_tensors
    grad_z, grad_decay = leaky_backward(grad_u, u_TBN, decay, decay.requires_grad)
    return grad_z, parameter_gradient(grad_decay, decay)


gradient("leaky", _leaky_gradient, _leaky_context)
