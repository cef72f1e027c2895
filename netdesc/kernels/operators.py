"""The operators as torch sees them, with fake and autograd registrations.

Each computes on the engine of its tensors' device (see ``engine``). Tensors are time-first; numbers
are in threshold units. ``notes`` [4] holds the largest |u| and |v| that occurred (in state units,
1/4096), whether the engine took the event path (1) or the matrix product (0), and how many spikes
it handed out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.checks import check_per_neuron, check_signal, check_weight
from netdesc.kernels.engine import engine_for
from netdesc.kernels.event_lists import are_listed, list_size
from netdesc.kernels.parameters import dynamics
from netdesc.kernels.quantization import quantize, straight_through
from netdesc.kernels.registration import fake, gradient, operator

_Cuba = tuple[Tensor, Tensor, Tensor]
_DenseCuba = tuple[Tensor, Tensor, Tensor, Tensor]


def _decay_gradient(grad_N: Tensor, decay: Tensor) -> Tensor | None:
    """A gradient per neuron in the decay's own shape; None where it is not learnt."""
    if not decay.requires_grad:
        return None
    return grad_N.sum_to_size(decay.shape) if decay.dim() else grad_N.sum()


def _decay_gradients(
    grad_decays: Tensor, current_decay: Tensor, voltage_decay: Tensor
) -> list[Tensor | None]:
    grad_current, grad_voltage = grad_decays
    return [
        _decay_gradient(grad_current, current_decay),
        _decay_gradient(grad_voltage, voltage_decay),
    ]


def _scalars(scalars: list[Any]) -> tuple[list[Any], Tensor | None]:
    """What describes the neurons besides tensors, and ``tau``, which torch leaves out if None."""
    return scalars[:4], scalars[4] if len(scalars) > 4 else None


def _learns(current_decay: Tensor, voltage_decay: Tensor) -> bool:
    return current_decay.requires_grad or voltage_decay.requires_grad


# cuba: spikes of neurons whose input is a float tensor


@operator
def cuba(
    z_TBN: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    bias: Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
    tau: Tensor | None = None,
) -> _Cuba:
    """Spikes [steps, batch, neurons], voltage (int32, before the reset) and notes of CUBA neurons.

    ``current_decay`` and ``voltage_decay`` are [] or [neurons], ``bias`` [0] or [neurons]. ``tau``
    is ``tau_grad`` once more, float32 [] on the device: the CUDA engine reads it in every backward
    pass, also in those of a captured step, which has the other numbers for good.
    """
    check_signal("an input", z_TBN)
    neurons = dynamics(
        z_TBN.shape[2],
        current_decay,
        voltage_decay,
        bias,
        threshold,
        tau_grad,
        scale_grad,
        delay,
        tau,
    )
    return engine_for(z_TBN.device).cuba(z_TBN, neurons)


@operator
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
    tau: Tensor | None = None,
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
        tau,
    )
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
    _, current_decay, voltage_decay, bias, *scalars = inputs
    ctx.scalars, ctx.tau = _scalars(scalars)
    _, voltage_TBN, notes = output
    ctx.mark_non_differentiable(voltage_TBN, notes)
    ctx.set_materialize_grads(False)
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
        ctx.tau,
    )
    return (grad_z, *_decay_gradients(grad_decays, current_decay, voltage_decay), *[None] * 6)


gradient("cuba", _cuba_gradient, _cuba_context)


# dense_cuba: the same behind dense synapses whose weights are on the grid


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
    steps, batch, inputs = spikes_TBI.shape
    out = spikes_TBI.new_empty(steps, batch, weight_OI.shape[0])
    size = list_size(spikes_TBI.device, steps * batch, inputs)
    return (
        out,
        out.new_empty(out.shape, dtype=torch.int32),
        out.new_empty(4, dtype=torch.int64),
        out.new_empty(size, dtype=torch.int32),
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
    ctx.scalars, ctx.tau = _scalars(scalars)
    _, voltage_TBO, notes, events = output
    ctx.mark_non_differentiable(voltage_TBO, notes, events)
    ctx.set_materialize_grads(False)
    # Once listed, the input need not be kept; a compiler, whose tensors hold no data, cannot tell.
    is_spare = type(events) is Tensor and are_listed(events)
    kept = None if is_spare else spikes_TBI
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
        _learns(current_decay, voltage_decay),
        want_input,
        ctx.tau,
    )
    return (
        grad_input if want_input else None,
        grad_weight,
        None,
        *_decay_gradients(grad_decays, current_decay, voltage_decay),
        *[None] * 6,
    )


gradient("dense_cuba", _dense_gradient, _dense_context)


# linear: synapses alone, where something stands between them and the neurons


@operator
def linear(signal_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """``z = W s`` [steps, batch, units], in float32."""
    check_signal("an input", signal_TBI)
    check_weight(weight_OI, signal_TBI)
    return engine_for(signal_TBI.device).linear(signal_TBI, weight_OI)


@operator
def linear_backward(
    grad_z_TBO: Tensor, signal_TBI: Tensor, weight_OI: Tensor, want_input: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of the input (empty unless wanted) and of the weight."""
    engine = engine_for(grad_z_TBO.device)
    return engine.linear_backward(grad_z_TBO, signal_TBI, weight_OI, want_input)


@fake("linear")
def _(signal_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    return signal_TBI.new_empty(*signal_TBI.shape[:2], weight_OI.shape[0])


@fake("linear_backward")
def _(
    grad_z_TBO: Tensor, signal_TBI: Tensor, weight_OI: Tensor, want_input: bool
) -> tuple[Tensor, Tensor]:
    return (
        signal_TBI.new_empty(signal_TBI.shape if want_input else (0,)),
        weight_OI.new_empty(weight_OI.shape),
    )


def _linear_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _linear_gradient(ctx: Any, grad_z: Tensor) -> tuple[Tensor | None, Tensor]:
    want_input = ctx.needs_input_grad[0]
    grad_input, grad_weight = linear_backward(grad_z, *ctx.saved_tensors, want_input)
    return grad_input if want_input else None, grad_weight


gradient("linear", _linear_gradient, _linear_context)


# leaky: the current alone, for what acts between current and voltage


@operator
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """The current of CUBA neurons, a multiple of 1/4096 [steps, batch, neurons]."""
    check_signal("an input", z_TBN)
    check_per_neuron("a decay", decay, z_TBN.shape[2], shared=1)
    return engine_for(z_TBN.device).leaky(z_TBN, decay)


@operator
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of the input and of the decay [neurons]."""
    return engine_for(grad_u_TBN.device).leaky_backward(grad_u_TBN, u_TBN, decay, learn)


@fake("leaky")
def _(z_TBN: Tensor, decay: Tensor) -> Tensor:
    return z_TBN.new_empty(z_TBN.shape)


@fake("leaky_backward")
def _(grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool) -> tuple[Tensor, Tensor]:
    return u_TBN.new_empty(u_TBN.shape), u_TBN.new_empty(u_TBN.shape[2])


def _leaky_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(output, inputs[1])


def _leaky_gradient(ctx: Any, grad_u: Tensor) -> tuple[Tensor, Tensor | None]:
    u_TBN, decay = ctx.saved_tensors
    grad_z, grad_decay = leaky_backward(grad_u, u_TBN, decay, decay.requires_grad)
    return grad_z, _decay_gradient(grad_decay, decay)


gradient("leaky", _leaky_gradient, _leaky_context)


# quantize_weight: onto the grid, gradient straight through except where the clamp acts


@operator
def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """``clamp(2 · round(32 · w), −2^bits, 2^bits − 2) / 64``, halves to even."""
    return quantize(weight, bits)


@fake("quantize_weight")
def _(weight: Tensor, bits: int) -> Tensor:
    return weight.new_empty(weight.shape)


def _quantize_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.bits = inputs[1]


def _quantize_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    (weight,) = ctx.saved_tensors
    return straight_through(grad, weight, ctx.bits), None


gradient("quantize_weight", _quantize_gradient, _quantize_context)


# spike_time: the van Rossum distance


@operator
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int
) -> tuple[Tensor, Tensor]:
    """``Σ f²`` with ``f = h ∗ (output − target)``, and f [steps, batch, neurons].

    ``h[n] = decayⁿ`` for n < ``length``, convolved ``order − 1`` times with itself and cut.
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
    """The gradient by the output: the filter run backward in time over ``2 · grad_loss · f``."""
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
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1])


def _spike_time_gradient(ctx: Any, grad_loss: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    (filtered_TBN,) = ctx.saved_tensors
    grad_output = spike_time_backward(filtered_TBN, grad_loss, *ctx.filter)
    grad_target = -grad_output if ctx.needs_input_grad[1] else None
    return grad_output, grad_target, None, None, None


gradient("spike_time", _spike_time_gradient, _spike_time_context)
