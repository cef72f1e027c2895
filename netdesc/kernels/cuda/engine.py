"""The CUDA engine: the functions of ``reference.engine`` with Triton kernels.

No function waits for the device or reads a tensor's numbers. Every layer computes a matrix product,
so ``notes[2]`` is 0. ``linear`` is the reference's function: it is one matrix product, which torch
computes as fast as Triton.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from netdesc.kernels.cuda import backward, forward, synapses
from netdesc.kernels.cuda.launch import (
    STEPS_PER_LOAD,
    check_device,
    device_number,
    on_tensor_device,
    start_time_loop,
)
from netdesc.kernels.cuda.spike_time import spike_time, spike_time_backward
from netdesc.kernels.neuron_parameters import Dynamics
from netdesc.kernels.reference.engine import linear, linear_backward
from netdesc.kernels.reference.windows import window_classes, window_loss, window_loss_backward
from netdesc.kernels.segment_by_layer import segment_backward_by_layer, segment_by_layer

__all__ = [
    "cuba",
    "cuba_backward",
    "leaky",
    "leaky_backward",
    "linear",
    "linear_backward",
    "segment",
    "segment_backward",
    "spike_time",
    "spike_time_backward",
    "window_classes",
    "window_loss",
    "window_loss_backward",
]


def _per_neuron(signal: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor, int, int]:
    """Returns decays and bias for the kernels, and the strides of the decays.

    A stride is 0 if all neurons share the decay. Raises ValueError if a decay or the bias is on
    another device than ``signal``.
    """
    u, v, bias = neurons.current_decay, neurons.voltage_decay, neurons.real_bias
    for name, value in (("current decay", u), ("voltage decay", v), ("bias", bias)):
        check_device(signal, f"the {name}", value)
    return u, v, bias.contiguous(), _decay_stride(u), _decay_stride(v)


def _decay_stride(decay: Tensor) -> int:
    return 0 if decay.numel() == 1 else decay.stride(0)


@on_tensor_device
def cuba(z_TBN: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.cuba``."""
    z_TBN = z_TBN.contiguous()
    steps, batch, size = z_TBN.shape
    out_TBN = torch.empty_like(z_TBN)
    voltage_TBN = torch.empty_like(z_TBN, dtype=torch.int32)
    notes = torch.zeros(4, dtype=torch.int64, device=z_TBN.device)
    start_time_loop(
        forward.forward,
        batch * size,
        z_TBN,
        *_per_neuron(z_TBN, neurons),
        out_TBN,
        voltage_TBN,
        notes,
        steps,
        batch * size,
        size,
        neurons.threshold,
        added_to=(notes,),
        HAS_BIAS=neurons.real_bias.numel() > 0,
        DELAY=neurons.delay,
        STEPS_PER_LOAD=STEPS_PER_LOAD,
    )
    return out_TBN, voltage_TBN, notes


@on_tensor_device
def cuba_backward(
    grad_out_TBN: Tensor, voltage_TBN: Tensor, neurons: Dynamics, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.cuba_backward``."""
    grad_out_TBN = grad_out_TBN.contiguous()
    steps, batch, size = voltage_TBN.shape
    tau = (
        device_number(neurons.tau_grad, grad_out_TBN.device) if neurons.tau is None else neurons.tau
    )
    check_device(grad_out_TBN, "the surrogate's width", tau)
    unit_height, unit_width = neurons.surrogate(1.0)
    grad_z_TBN = torch.empty_like(grad_out_TBN)
    grad_decays = (
        grad_out_TBN.new_empty(2, batch, size) if learn else grad_out_TBN.new_zeros(2, size)
    )
    start_time_loop(
        backward.adjoint,
        batch * size,
        grad_out_TBN,
        voltage_TBN.contiguous(),
        *_per_neuron(grad_out_TBN, neurons),
        tau,
        grad_z_TBN,
        grad_decays,
        steps,
        batch * size,
        size,
        neurons.threshold,
        unit_height,
        1.0 / unit_width,
        HAS_BIAS=neurons.real_bias.numel() > 0,
        DELAY=neurons.delay,
        LEARN=int(learn),
        STEPS_PER_LOAD=STEPS_PER_LOAD,
    )
    return grad_z_TBN, grad_decays.sum(1) if learn else grad_decays


@on_tensor_device
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """See ``reference.engine.leaky``."""
    check_device(z_TBN, "the decay", decay)
    z_TBN = z_TBN.contiguous()
    steps, batch, size = z_TBN.shape
    u_TBN = torch.empty_like(z_TBN)
    columns = batch * size
    stride = _decay_stride(decay)
    start_time_loop(
        forward.leaky,
        columns,
        z_TBN,
        decay,
        stride,
        u_TBN,
        steps,
        columns,
        size,
        STEPS_PER_LOAD=STEPS_PER_LOAD,
    )
    return u_TBN


@on_tensor_device
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.leaky_backward``."""
    check_device(grad_u_TBN, "the decay", decay)
    grad_u_TBN = grad_u_TBN.contiguous()
    steps, batch, size = grad_u_TBN.shape
    grad_z_TBN = torch.empty_like(grad_u_TBN)
    empty, zeros = grad_u_TBN.new_empty, grad_u_TBN.new_zeros
    grad_decay = empty(batch, size) if learn else zeros(size)
    start_time_loop(
        backward.leaky_adjoint,
        batch * size,
        grad_u_TBN,
        u_TBN.contiguous(),
        decay,
        _decay_stride(decay),
        grad_z_TBN,
        grad_decay,
        steps,
        batch * size,
        size,
        LEARN=int(learn),
        STEPS_PER_LOAD=STEPS_PER_LOAD,
    )
    return grad_z_TBN, grad_decay.sum(0) if learn else grad_decay


@on_tensor_device
def dense_cuba(
    spikes_TBI: Tensor, weight_OI: Tensor, bits: int, neurons: Dynamics
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.dense_cuba``."""
    z_TBO = synapses.input_currents(spikes_TBI.contiguous(), weight_OI.contiguous(), bits)
    return cuba(z_TBO, neurons)


@on_tensor_device
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
    """See ``reference.engine.dense_cuba_backward``."""
    weight_OI = weight_OI.contiguous()
    grad_z_TBO, grad_decays = cuba_backward(grad_out_TBO, voltage_TBO, neurons, learn)
    grad_weight = synapses.weight_gradient(grad_z_TBO, spikes_TBI.contiguous(), weight_OI, bits)
    grad_input = grad_z_TBO.new_empty(0)
    if want_input:
        grad_input = synapses.input_gradient(grad_z_TBO, weight_OI, bits)
    return grad_input, grad_weight, grad_decays


segment = functools.partial(segment_by_layer, dense_cuba)
segment_backward = functools.partial(segment_backward_by_layer, dense_cuba_backward)
