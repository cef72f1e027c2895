"""The operator ``cuba``: CUBA neurons whose synaptic input is a float tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal
from netdesc.kernels.engine import engine_for
from netdesc.kernels.neuron_parameters import decay_gradients, learns_decays, make_dynamics
from netdesc.kernels.registration import fake, gradient, operator

_Cuba = tuple[Tensor, Tensor, Tensor]


@operator
def cuba(
    z_TBN: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    tau: Tensor,
    numbers: list[float],
) -> _Cuba:
    """Runs CUBA neurons. Returns spikes [steps, batch, neurons], voltages and notes [4].

    ``z_TBN`` is the synaptic input. Voltages are int32 [steps, batch, neurons], before the reset.
    ``current_decay`` and ``voltage_decay`` are [] or [neurons], ``bias`` is [0] or [neurons].
    ``numbers`` are threshold, tau_grad, scale_grad and axonal delay (0 or 1 steps). ``tau`` is
    ``tau_grad`` as a float32 tensor [] on the device, or empty [0]. The CUDA engine reads the
    surrogate gradient's width from ``tau``, because Python numbers are fixed in a CUDA graph.
    """
    check_signal("an input", z_TBN)
    neurons = make_dynamics(z_TBN.shape[2], current_decay, voltage_decay, bias, tau, numbers)
    return engine_for(z_TBN.device).cuba(z_TBN, neurons)


@operator
def cuba_backward(
    grad_out_TBN: Tensor,
    voltage_TBN: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    tau: Tensor,
    numbers: list[float],
    learn: bool,
) -> tuple[Tensor, Tensor]:
    """Returns the gradient of the input, and the gradients of both decays [2, neurons].

    The gradients of the decays are 0 unless ``learn``.
    """
    size = grad_out_TBN.shape[2]
    neurons = make_dynamics(size, current_decay, voltage_decay, bias, tau, numbers)
    engine = engine_for(grad_out_TBN.device)
    return engine.cuba_backward(grad_out_TBN, voltage_TBN, neurons, learn)


@fake("cuba")
def _(z_TBN: Tensor, *_: Any) -> _Cuba:
    out = z_TBN.new_empty(z_TBN.shape)
    return out, out.new_empty(out.shape, dtype=torch.int32), out.new_empty(4, dtype=torch.int64)


@fake("cuba_backward")
def _(grad_out_TBN: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    grad = grad_out_TBN.new_empty(grad_out_TBN.shape)
    return grad, grad.new_empty(2, grad.shape[2])


def _cuba_context(ctx: Any, inputs: tuple[Any, ...], output: _Cuba) -> None:
    _, current_decay, voltage_decay, bias, ctx.tau, ctx.numbers = inputs
    _, voltage_TBN, notes = output
    ctx.mark_non_differentiable(voltage_TBN, notes)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(voltage_TBN, current_decay, voltage_decay, bias)


def _cuba_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    voltage_TBN, *decays, bias = ctx.saved_tensors
    learn = learns_decays(*decays)
    grad_z, grad_decays = cuba_backward(
        grad_out, voltage_TBN, *decays, bias, ctx.tau, ctx.numbers, learn
    )
    return (grad_z, *decay_gradients(grad_decays, *decays), None, None, None)


gradient("cuba", _cuba_gradient, _cuba_context)
