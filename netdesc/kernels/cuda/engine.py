"""The CUDA engine: the functions of ``reference.engine`` with Triton kernels.

No function waits for the device or reads a tensor's numbers. Every layer computes a matrix product,
so ``notes[2]`` is 0. ``linear`` is the reference's function: it is one matrix product, which torch
computes as fast as Triton.
"""

from __future__ import annotations

import functools

from torch import Tensor

from netdesc.kernels.cuda import synapses
from netdesc.kernels.cuda.cuba import cuba, cuba_backward, leaky, leaky_backward
from netdesc.kernels.cuda.launch import on_tensor_device
from netdesc.kernels.cuda.neurons import neurons, neurons_backward
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
