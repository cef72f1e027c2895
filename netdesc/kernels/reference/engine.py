"""The definition of every operator, step by step in plain torch.

Tensors are time-first ``[steps, batch, neurons]``. States are 64-bit integers, so that nothing can
overflow. The other engines must give equal spikes and, up to rounding, equal gradients.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT
from netdesc.kernels.neuron_parameters import Dynamics, keep_factor
from netdesc.kernels.quantization import quantize, straight_through
from netdesc.kernels.reference.neurons import neurons, neurons_backward
from netdesc.kernels.reference.van_rossum import spike_time, spike_time_backward
from netdesc.kernels.reference.windows import window_classes, window_loss, window_loss_backward
from netdesc.kernels.segment_by_layer import segment_backward_by_layer, segment_by_layer

__all__ = [
    "cuba",
    "cuba_backward",
    "leaky",
    "leaky_backward",
    "linear",
    "linear_backward",
    "neurons",
    "neurons_backward",
    "segment",
    "segment_backward",
    "spike_time",
    "spike_time_backward",
    "window_classes",
    "window_loss",
    "window_loss_backward",
]

PRODUCT = 0
"""The value of ``notes[2]`` (see ``kernels.operators``) if the synaptic input was computed as a
matrix product. This engine always computes it so."""


def to_state(value: Tensor) -> Tensor:
    """Converts values to states: ``trunc(4096 · value)``, saturated; NaN becomes 0."""
    scaled = torch.nan_to_num(value * STATE_UNIT, nan=0.0).clamp(-STATE_LIMIT, STATE_LIMIT)
    return scaled.to(torch.int64)


def decay_state(state: Tensor, keep: Tensor) -> Tensor:
    """Returns ``keep · state / 4096``, rounded toward zero."""
    return state.sign() * ((state.abs() * keep.to(torch.int64)) >> DECAY_BITS)


def saturate(state: Tensor) -> Tensor:
    return state.clamp(-STATE_LIMIT, STATE_LIMIT)


def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """Returns the current ``u[t] = rtz(keep · u[t−1] / 4096) + trunc(4096 · z[t])``.

    The current is float32 [steps, batch, neurons] in threshold units; rtz rounds toward zero.
    ``decay`` [] or [neurons] is the share of the current that a step loses, and ``keep`` is
    ``keep_factor(decay)``.
    """
    keep_N = keep_factor(decay, z_TBN.shape[2])
    u = torch.zeros_like(z_TBN[0], dtype=torch.int64)
    u_TBN = torch.empty_like(z_TBN)
    for t in range(z_TBN.shape[0]):
        u = saturate(decay_state(u, keep_N) + to_state(z_TBN[t]))
        u_TBN[t] = u.to(torch.float32) / STATE_UNIT
    return u_TBN


def cuba(z_TBN: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    """Runs CUBA neurons. Returns spikes [steps, batch, neurons], voltages and notes [4].

    Voltages are int32, before the reset. Notes are the largest |u| and |v| in state units,
    ``PRODUCT``, and the number of output spikes.
    """
    u = torch.zeros_like(z_TBN[0], dtype=torch.int64)
    reset_v = torch.zeros_like(u)
    out_TBN = torch.zeros_like(z_TBN)
    voltage_TBN = torch.empty_like(z_TBN, dtype=torch.int32)
    notes = torch.zeros(4, dtype=torch.int64, device=z_TBN.device)
    notes[2] = PRODUCT
    steps = z_TBN.shape[0]
    for t in range(steps):
        u = saturate(decay_state(u, neurons.keep_u) + to_state(z_TBN[t]))
        v = saturate(decay_state(reset_v, neurons.keep_v) + u + neurons.bias)
        spikes = v > neurons.threshold
        reset_v = v.masked_fill(spikes, 0)
        voltage_TBN[t] = v
        if t + neurons.delay < steps:
            out_TBN[t + neurons.delay] = spikes
        notes[0] = torch.maximum(notes[0], u.abs().max())
        notes[1] = torch.maximum(notes[1], v.abs().max())
    notes[3] = out_TBN.count_nonzero()
    return out_TBN, voltage_TBN, notes


def cuba_backward(
    grad_out_TBN: Tensor, voltage_TBN: Tensor, neurons: Dynamics, learn: bool
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the input [steps, batch, neurons] and of both decays [2, neurons].

    The input's gradient is g_u: ``g_v[t] = (1 − d_v) g_v[t+1] + ρ(v[t]) g_s[t]`` and
    ``g_u[t] = (1 − d_u) g_u[t+1] + g_v[t]``, where d_u and d_v are the decays, ρ is the surrogate
    gradient and g_s is the gradient of the spikes. The reset is not differentiated. The gradients
    of the decays are ``−Σ g_u[t+1] u[t]`` and ``−Σ g_v[t+1] v̄[t]``, where v̄ is the voltage after
    the reset; they are 0 unless ``learn``.
    """
    share_u = neurons.keep_u / DECAY_ONE
    share_v = neurons.keep_v / DECAY_ONE
    g_u = torch.zeros_like(grad_out_TBN[0])
    g_v = torch.zeros_like(g_u)
    grad_z_TBN = torch.empty_like(grad_out_TBN)
    grad_decays = grad_out_TBN.new_zeros(2, grad_out_TBN.shape[2])
    v_TBN = voltage_TBN.to(torch.int64)
    reset_v_TBN = v_TBN.masked_fill(v_TBN > neurons.threshold, 0)
    steps = v_TBN.shape[0]
    for t in reversed(range(steps)):
        if learn:
            previous = reset_v_TBN[t - 1] if t else torch.zeros_like(reset_v_TBN[0])
            u = v_TBN[t] - decay_state(previous, neurons.keep_v) - neurons.bias
            grad_decays[0] -= (g_u * u / STATE_UNIT).sum(0)
            grad_decays[1] -= (g_v * reset_v_TBN[t] / STATE_UNIT).sum(0)
        output_step = t + neurons.delay
        g_s = grad_out_TBN[output_step] if output_step < steps else torch.zeros_like(g_u)
        distance = (v_TBN[t] - neurons.threshold).abs().to(torch.float32)
        g_v = share_v * g_v + neurons.height * torch.exp(-distance / neurons.width) * g_s
        g_u = share_u * g_u + g_v
        grad_z_TBN[t] = g_u
    return grad_z_TBN, grad_decays


def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """Returns the gradients of the input and of the decay [neurons] of ``leaky``.

    Without ``learn``, the gradient of the decay is 0, and ``u_TBN``, the result of ``leaky``, may
    be empty.
    """
    share = keep_factor(decay, grad_u_TBN.shape[2]) / DECAY_ONE
    g = torch.zeros_like(grad_u_TBN[0])
    grad_z_TBN = torch.empty_like(grad_u_TBN)
    grad_decay = grad_u_TBN.new_zeros(grad_u_TBN.shape[2])
    for t in reversed(range(grad_u_TBN.shape[0])):
        if learn:
            grad_decay -= (g * u_TBN[t]).sum(0)
        g = share * g + grad_u_TBN[t]
        grad_z_TBN[t] = g
    return grad_z_TBN, grad_decay


def dense_cuba(
    spikes_TBI: Tensor, weight_OI: Tensor, bits: int, neurons: Dynamics
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs ``cuba`` with the synaptic input ``z = W s``, where W is ``weight_OI`` quantised.

    Sums of quantised weights are exact in float32, so their order does not matter.
    """
    with torch.autocast(spikes_TBI.device.type, enabled=False):
        z_TBO = spikes_TBI @ quantize(weight_OI, bits).T
    return cuba(z_TBO, neurons)


def dense_cuba_backward(
    grad_out_TBO: Tensor,
    spikes_TBI: Tensor,
    weight_OI: Tensor,
    bits: int,
    voltage_TBO: Tensor,
    neurons: Dynamics,
    learn: bool,
    want_input: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns gradients of the input spikes, the weight and both decays.

    The gradient of the input spikes is empty unless ``want_input``.
    """
    grad_z_TBO, grad_decays = cuba_backward(grad_out_TBO, voltage_TBO, neurons, learn)
    with torch.autocast(spikes_TBI.device.type, enabled=False):
        grad_weight = torch.einsum("tbo,tbi->oi", grad_z_TBO, spikes_TBI).contiguous()
        grad_weight = straight_through(grad_weight, weight_OI, bits)
        if not want_input:
            return grad_z_TBO.new_empty(0), grad_weight, grad_decays
        return grad_z_TBO @ quantize(weight_OI, bits), grad_weight, grad_decays


segment = functools.partial(segment_by_layer, dense_cuba)
segment_backward = functools.partial(segment_backward_by_layer, dense_cuba_backward)


def linear(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``W s`` of every step, and an empty tensor, because this engine packs no spikes."""
    with torch.autocast(signal_TBI.device.type, enabled=False):
        z_TBO = signal_TBI @ weight_OI.T
    return z_TBO, torch.empty(0, dtype=torch.int32, device=signal_TBI.device)


def linear_backward(
    grad_z_TBO: Tensor,
    signal_TBI: Tensor | None,
    packed: Tensor,
    weight_OI: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the signal (empty unless ``want_input``) and of the weight."""
    assert signal_TBI is not None, "only the CPU engine packs the input's spikes"
    with torch.autocast(signal_TBI.device.type, enabled=False):
        grad_weight = torch.einsum("tbo,tbi->oi", grad_z_TBO, signal_TBI).contiguous()
        return grad_z_TBO @ weight_OI if want_input else grad_z_TBO.new_empty(0), grad_weight
