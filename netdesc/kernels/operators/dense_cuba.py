"""Spikes of CUBA neurons behind dense synapses whose weights are on the grid."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal, check_weight
from netdesc.kernels.engine import engine_for
from netdesc.kernels.event_lists import fake_lists, needed
from netdesc.kernels.operators.decays import decay_gradients, learns
from netdesc.kernels.operators.scalars import split_off_tau
from netdesc.kernels.parameters import dynamics
from netdesc.kernels.registration import fake, gradient, operator

_DenseCuba = tuple[Tensor, Tensor, Tensor, Tensor]


@operator
def dense_cuba(
    spikes_TBI: Tensor,
    weight_OI: Tensor,
    bits: int,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
    tau: Tensor | None = None,
) -> _DenseCuba:
    """``cuba`` of ``z = W s`` with the real ``weight_OI`` quantised as ``quantize_weight`` does.

    The fourth result is the engine's own: the input's events, for the backward pass (see
    ``kernels.event_lists``).
    """
    check_signal("an input", spikes_TBI)
    check_weight(weight_OI, spikes_TBI)
    neurons = dynamics(
        weight_OI.shape[0],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
        tau,
    )
    return engine_for(spikes_TBI.device).dense_cuba(spikes_TBI, weight_OI, bits, neurons)


@operator
def dense_cuba_backward(
    grad_out_TBO: Tensor,
    spikes_TBI: Tensor | None,
    events: Tensor,
    weight_OI: Tensor,
    bits: int,
    voltage_TBO: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
    learn: bool,
    want_input: bool,
    tau: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the input (empty unless wanted), the weight and both decays [2, neurons].

    The input itself may be missing where ``events`` has its events.
    """
    neurons = dynamics(
        weight_OI.shape[0],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
        tau,
    )
    engine = engine_for(grad_out_TBO.device)
    return engine.dense_cuba_backward(
        grad_out_TBO,
        spikes_TBI,
        events,
        weight_OI,
        bits,
        voltage_TBO,
        neurons,
        learn,
        want_input,
    )


@fake("dense_cuba")
def _(spikes_TBI: Tensor, weight_OI: Tensor, *_: Any) -> _DenseCuba:
    out = spikes_TBI.new_empty(*spikes_TBI.shape[:2], weight_OI.shape[0])
    return (
        out,
        out.new_empty(out.shape, dtype=torch.int32),
        out.new_empty(4, dtype=torch.int64),
        fake_lists(spikes_TBI),
    )


@fake("dense_cuba_backward")
def _(
    grad_out_TBO: Tensor, spikes_TBI: Tensor | None, events: Tensor, weight_OI: Tensor, *rest: Any
) -> tuple[Tensor, Tensor, Tensor]:
    steps, batch, _ = grad_out_TBO.shape
    *_, want_input = rest[:11]  # what may follow is ``tau``
    return (
        grad_out_TBO.new_empty((steps, batch, weight_OI.shape[1]) if want_input else (0,)),
        weight_OI.new_empty(weight_OI.shape),
        grad_out_TBO.new_empty(2, weight_OI.shape[0]),
    )


def _dense_context(ctx: Any, inputs: tuple[Any, ...], output: _DenseCuba) -> None:
    spikes_TBI, weight_OI, ctx.bits, current_decay, voltage_decay, bias, *scalars = inputs
    ctx.scalars, ctx.tau = split_off_tau(scalars)
    _, voltage_TBO, notes, events = output
    ctx.mark_non_differentiable(voltage_TBO, notes, events)
    ctx.set_materialize_grads(False)
    kept = needed(spikes_TBI, events)
    ctx.save_for_backward(kept, events, weight_OI, voltage_TBO, current_decay, voltage_decay, bias)


def _dense_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    spikes_TBI, events, weight_OI, voltage_TBO, current_decay, voltage_decay, bias = (
        ctx.saved_tensors
    )
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight, grad_decays = dense_cuba_backward(
        grad_out,
        spikes_TBI,
        events,
        weight_OI,
        ctx.bits,
        voltage_TBO,
        current_decay,
        voltage_decay,
        bias,
        *ctx.scalars,
        learns(current_decay, voltage_decay),
        want_input,
        ctx.tau,
    )
    return (
        grad_input if want_input else None,
        grad_weight,
        None,
        *decay_gradients(grad_decays, current_decay, voltage_decay),
        *[None] * 6,
    )


gradient("dense_cuba", _dense_gradient, _dense_context)
