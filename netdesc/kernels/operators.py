"""The operators as torch sees them, with fake and autograd registrations.

Each computes on the engine of its tensors' device (see ``engine``). Tensors are time-first; numbers
are in threshold units. ``notes`` [3] holds the largest |u| and |v| that occurred (in state units,
1/4096) and whether the engine took the event path (1) or the matrix product (0).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.engine import engine_for
from netdesc.kernels.grid import WEIGHT_UNIT, weight_limits
from netdesc.kernels.parameters import dynamics, keep

_Cuba = tuple[Tensor, Tensor, Tensor]


def _to_decay(grad_N: Tensor, decay: Tensor) -> Tensor:
    """Bring a gradient per neuron to the decay's own shape."""
    return grad_N.sum_to_size(decay.shape) if decay.dim() else grad_N.sum()


def _learns(current_decay: Tensor, voltage_decay: Tensor) -> bool:
    return current_decay.requires_grad or voltage_decay.requires_grad


# cuba: spikes of neurons whose input is a float tensor


@torch.library.custom_op("netdesc::cuba", mutates_args=())
def cuba(
    z_TBN: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
) -> _Cuba:
    """Spikes [steps, batch, neurons], voltage (int32, before the reset) and notes of CUBA neurons.

    ``current_decay`` and ``voltage_decay`` are [] or [neurons], ``bias`` [0] or [neurons].
    """
    neurons = dynamics(
        z_TBN.shape[2],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
    )
    return engine_for(z_TBN.device).cuba(z_TBN, neurons)


@torch.library.custom_op("netdesc::cuba_backward", mutates_args=())
def cuba_backward(
    grad_out_TBN: Tensor,
    voltage_TBN: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
    learn: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of the input and of both decays [2, neurons]."""
    neurons = dynamics(
        grad_out_TBN.shape[2],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
    )
    engine = engine_for(grad_out_TBN.device)
    return engine.cuba_backward(grad_out_TBN, voltage_TBN, neurons, learn)


@cuba.register_fake
def _(z_TBN: Tensor, *_: Any) -> _Cuba:
    out = z_TBN.new_empty(z_TBN.shape)
    return out, out.new_empty(out.shape, dtype=torch.int32), out.new_empty(3, dtype=torch.int64)


@cuba_backward.register_fake
def _(grad_out_TBN: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    grad = grad_out_TBN.new_empty(grad_out_TBN.shape)
    return grad, grad.new_empty(2, grad.shape[2])


def _cuba_context(ctx: Any, inputs: tuple[Any, ...], output: _Cuba) -> None:
    _, current_decay, voltage_decay, bias, *ctx.scalars = inputs
    _, voltage_TBN, notes = output
    ctx.mark_non_differentiable(voltage_TBN, notes)
    ctx.save_for_backward(voltage_TBN, current_decay, voltage_decay, bias)


def _cuba_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    voltage_TBN, current_decay, voltage_decay, bias = ctx.saved_tensors
    grad_z, grad_decays = cuba_backward(
        grad_out,
        voltage_TBN,
        current_decay,
        voltage_decay,
        bias,
        *ctx.scalars,
        _learns(current_decay, voltage_decay),
    )
    grad_current, grad_voltage = grad_decays
    return (
        grad_z,
        _to_decay(grad_current, current_decay),
        _to_decay(grad_voltage, voltage_decay),
        *[None] * 5,
    )


cuba.register_autograd(_cuba_gradient, setup_context=_cuba_context)


# dense_cuba: the same behind dense synapses whose weights are on the grid


@torch.library.custom_op("netdesc::dense_cuba", mutates_args=())
def dense_cuba(
    spikes_TBI: Tensor,
    weight_OI: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
) -> _Cuba:
    """``cuba`` of ``z = W s``; ``weight_OI`` holds multiples of 1/64, as ``quantize_weight`` gives."""
    neurons = dynamics(
        weight_OI.shape[0],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
    )
    return engine_for(spikes_TBI.device).dense_cuba(spikes_TBI, weight_OI, neurons)


@torch.library.custom_op("netdesc::dense_cuba_backward", mutates_args=())
def dense_cuba_backward(
    grad_out_TBO: Tensor,
    spikes_TBI: Tensor,
    weight_OI: Tensor,
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
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the input spikes (empty unless wanted), the weight and both decays [2, neurons]."""
    neurons = dynamics(
        weight_OI.shape[0],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
    )
    engine = engine_for(grad_out_TBO.device)
    return engine.dense_cuba_backward(
        grad_out_TBO, spikes_TBI, weight_OI, voltage_TBO, neurons, learn, want_input
    )


@dense_cuba.register_fake
def _(spikes_TBI: Tensor, weight_OI: Tensor, *_: Any) -> _Cuba:
    steps, batch, _inputs = spikes_TBI.shape
    out = spikes_TBI.new_empty(steps, batch, weight_OI.shape[0])
    return out, out.new_empty(out.shape, dtype=torch.int32), out.new_empty(3, dtype=torch.int64)


@dense_cuba_backward.register_fake
def _(
    grad_out_TBO: Tensor, spikes_TBI: Tensor, weight_OI: Tensor, *rest: Any
) -> tuple[Tensor, Tensor, Tensor]:
    want_input = rest[-1]
    return (
        spikes_TBI.new_empty(spikes_TBI.shape if want_input else (0,)),
        weight_OI.new_empty(weight_OI.shape),
        grad_out_TBO.new_empty(2, weight_OI.shape[0]),
    )


def _dense_context(ctx: Any, inputs: tuple[Any, ...], output: _Cuba) -> None:
    spikes_TBI, weight_OI, current_decay, voltage_decay, bias, *ctx.scalars = inputs
    _, voltage_TBO, notes = output
    ctx.mark_non_differentiable(voltage_TBO, notes)
    ctx.save_for_backward(spikes_TBI, weight_OI, voltage_TBO, current_decay, voltage_decay, bias)


def _dense_gradient(ctx: Any, grad_out: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    spikes_TBI, weight_OI, voltage_TBO, current_decay, voltage_decay, bias = ctx.saved_tensors
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight, (grad_current, grad_voltage) = dense_cuba_backward(
        grad_out,
        spikes_TBI,
        weight_OI,
        voltage_TBO,
        current_decay,
        voltage_decay,
        bias,
        *ctx.scalars,
        _learns(current_decay, voltage_decay),
        want_input,
    )
    return (
        grad_input if want_input else None,
        grad_weight,
        _to_decay(grad_current, current_decay),
        _to_decay(grad_voltage, voltage_decay),
        *[None] * 5,
    )


dense_cuba.register_autograd(_dense_gradient, setup_context=_dense_context)


# leaky: the current alone, for what acts between current and voltage


@torch.library.custom_op("netdesc::leaky", mutates_args=())
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """The current of CUBA neurons, a multiple of 1/4096 [steps, batch, neurons]."""
    return engine_for(z_TBN.device).leaky(z_TBN, keep(decay, z_TBN.shape[2]))


@torch.library.custom_op("netdesc::leaky_backward", mutates_args=())
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of the input and of the decay [neurons]."""
    engine = engine_for(grad_u_TBN.device)
    return engine.leaky_backward(grad_u_TBN, u_TBN, keep(decay, u_TBN.shape[2]), learn)


@leaky.register_fake
def _(z_TBN: Tensor, decay: Tensor) -> Tensor:
    return z_TBN.new_empty(z_TBN.shape)


@leaky_backward.register_fake
def _(grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool) -> tuple[Tensor, Tensor]:
    return u_TBN.new_empty(u_TBN.shape), u_TBN.new_empty(u_TBN.shape[2])


def _leaky_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(output, inputs[1])


def _leaky_gradient(ctx: Any, grad_u: Tensor) -> tuple[Tensor, Tensor]:
    u_TBN, decay = ctx.saved_tensors
    grad_z, grad_decay = leaky_backward(grad_u, u_TBN, decay, decay.requires_grad)
    return grad_z, _to_decay(grad_decay, decay)


leaky.register_autograd(_leaky_gradient, setup_context=_leaky_context)


# quantize_weight: onto the grid, gradient straight through except where the clamp acts


@torch.library.custom_op("netdesc::quantize_weight", mutates_args=())
def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``, halves to even."""
    low, high = weight_limits(bits)
    return torch.clamp(2 * torch.round(weight * (WEIGHT_UNIT / 2)), low, high) / WEIGHT_UNIT


@quantize_weight.register_fake
def _(weight: Tensor, bits: int) -> Tensor:
    return weight.new_empty(weight.shape)


def _quantize_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.bits = inputs[1]


def _quantize_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    (weight,) = ctx.saved_tensors
    low, high = weight_limits(ctx.bits)
    rounded = 2 * torch.round(weight * (WEIGHT_UNIT / 2))
    return grad * ((rounded >= low) & (rounded <= high)), None


quantize_weight.register_autograd(_quantize_gradient, setup_context=_quantize_context)


# spike_time: the van Rossum distance, with its gradient computed beside it


@torch.library.custom_op("netdesc::spike_time", mutates_args=())
def spike_time(
    output_TBN: Tensor,
    target_TBN: Tensor,
    decay: float,
    order: int,
    length: int,
    want_gradient: bool,
) -> tuple[Tensor, Tensor]:
    """``Σ (h ∗ (output − target))²`` and its gradient by the output (empty if not wanted).

    ``h[n] = decayⁿ`` for n < ``length``, convolved ``order − 1`` times with itself and cut.
    """
    engine = engine_for(output_TBN.device)
    return engine.spike_time(output_TBN, target_TBN, decay, order, length, want_gradient)


@spike_time.register_fake
def _(
    output_TBN: Tensor,
    target_TBN: Tensor,
    decay: float,
    order: int,
    length: int,
    want_gradient: bool,
) -> tuple[Tensor, Tensor]:
    shape = output_TBN.shape if want_gradient else (0,)
    return output_TBN.new_empty(()), output_TBN.new_empty(shape)


def _spike_time_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1])


def _spike_time_gradient(ctx: Any, grad_loss: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    (grad_output,) = ctx.saved_tensors
    return grad_output * grad_loss, None, None, None, None, None


spike_time.register_autograd(_spike_time_gradient, setup_context=_spike_time_context)
