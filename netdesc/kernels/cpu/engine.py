"""The CPU engine: the functions of ``reference.engine`` with Numba kernels.

A layer reads events if its input is sparse and binary (``notes[2]`` is 1); otherwise it computes a
matrix product (``notes[2]`` is 0).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.gemm.gemm import matmul
from netdesc.kernels.cpu.losses.van_rossum import spike_time, spike_time_backward
from netdesc.kernels.cpu.losses.window_loss import window_classes, window_loss, window_loss_backward
from netdesc.kernels.cpu.neurons import neurons, neurons_backward, upstream_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate, array_of, as_rows, flat
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.segment import (
    segment,
    segment_backward,
    source_for_backward,
    source_of,
)
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.current_by_events import current_by_events
from netdesc.kernels.cpu.synapses.weight_gradient import weight_gradient_by_events
from netdesc.kernels.cpu.walk.cuba import (
    cuba_neurons,
    decay_gradients_of,
    layer_notes,
    stored_of,
    voltages_of,
)
from netdesc.kernels.cpu.walk.layer_backward import backward_to_current
from netdesc.kernels.cpu.walk.layer_forward import float_output, forward_from_current
from netdesc.kernels.cpu.walk.leaky import leaky_backward_all, leaky_forward
from netdesc.kernels.neuron_parameters import Dynamics, keep_factor
from netdesc.kernels.neurons import PRODUCT

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


@on_threads
def cuba(z_TBN: Tensor, neurons: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.cuba``."""
    z = array_of(z_TBN)
    out = float_output(z.shape)
    result = forward_from_current([z], cuba_neurons(neurons, False), out, True)
    voltage_TBN = voltages_of(result.stored, z.shape)
    spikes, notes = out.values.reshape(z.shape), layer_notes(result, PRODUCT)
    return torch.from_numpy(spikes), torch.from_numpy(voltage_TBN), notes


@on_threads
def cuba_backward(
    grad_out_TBN: Tensor, voltage_TBN: Tensor, neurons: Dynamics, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.cuba_backward``."""
    voltage = array_of(voltage_TBN)
    layer = cuba_neurons(neurons, learn)
    (grad_z_TBN,), parameters_PN = backward_to_current(
        upstream_of(grad_out_TBN), layer, stored_of(voltage), voltage.shape
    )
    grad_decays = decay_gradients_of(layer, parameters_PN)
    return torch.from_numpy(grad_z_TBN), torch.from_numpy(grad_decays)


@on_threads
def linear(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.linear``; the second result is the packed spikes of the input."""
    steps, batch, _ = signal_TBI.shape
    (source, packed), weight = source_of(signal_TBI), array_of(weight_OI)
    if isinstance(source, Events):
        z_TBO = current_by_events(source, weight)
    else:
        z_TBO = matmul(source, weight.T).reshape(steps, batch, len(weight))
    return torch.from_numpy(z_TBO), torch.from_numpy(packed)


@on_threads
def linear_backward(
    grad_z_TBO: Tensor,
    signal_TBI: Tensor | None,
    packed: Tensor,
    weight_OI: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.linear_backward``."""
    (steps, batch, _), inputs = grad_z_TBO.shape, weight_OI.shape[1]
    grad_z, weight = array_of(grad_z_TBO), array_of(weight_OI)
    source = source_for_backward(packed, signal_TBI, (steps, batch, inputs))
    if isinstance(source, Events):
        grad_weight = weight_gradient_by_events(grad_z, source, weight)
    else:
        grad_weight = matmul(as_rows(grad_z).T, source)
    grad_input = np.empty(0, np.float32)
    if want_input:
        grad_input = matmul(as_rows(grad_z), weight).reshape(steps, batch, inputs)
    return torch.from_numpy(grad_input), torch.from_numpy(grad_weight)


@on_threads
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """See ``reference.engine.leaky``."""
    z = array_of(z_TBN)
    u_TBN = allocate(z.shape, np.float32)
    leaky_forward(z, flat(keep_factor(decay, z.shape[2])), u_TBN)
    return torch.from_numpy(u_TBN)


@on_threads
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.leaky_backward``."""
    grad_u = array_of(grad_u_TBN)
    _, batch, size = grad_u.shape
    grad_z, by_sample = allocate(grad_u.shape, np.float32), allocate((batch, size), np.float32)
    current = array_of(u_TBN) if learn else np.empty((0, 0, 0), np.float32)
    leaky_backward_all(grad_u, current, flat(keep_factor(decay, size)), learn, grad_z, by_sample)
    return torch.from_numpy(grad_z), torch.from_numpy(by_sample.sum(axis=0))
