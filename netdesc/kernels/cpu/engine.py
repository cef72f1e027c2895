"""The CPU engine: the functions of ``reference.engine`` with Numba kernels.

A layer reads events if its input is sparse and binary; otherwise it computes a matrix product.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.convolution import convolution, convolution_backward
from netdesc.kernels.cpu.gemm import matmul
from netdesc.kernels.cpu.neurons import neurons, neurons_backward
from netdesc.kernels.cpu.recurrent import recurrent, recurrent_backward
from netdesc.kernels.cpu.runtime.memory_pool import array_of, as_rows
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.segment import (
    segment,
    segment_backward,
    source_for_backward,
    source_of,
    weight_gradient,
)
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.synaptic_input import current_by_events
from netdesc.kernels.cpu.van_rossum import spike_time

__all__ = [
    "convolution",
    "convolution_backward",
    "linear",
    "linear_backward",
    "neurons",
    "neurons_backward",
    "recurrent",
    "recurrent_backward",
    "segment",
    "segment_backward",
    "spike_time",
]


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
    grad_weight = weight_gradient(grad_z, source, weight)
    grad_input = np.empty(0, np.float32)
    if want_input:
        grad_input = matmul(as_rows(grad_z), weight).reshape(steps, batch, inputs)
    return torch.from_numpy(grad_input), torch.from_numpy(grad_weight)
