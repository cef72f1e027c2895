"""Dense synapses: a layer reads events if its input is sparse and binary, else rows of numbers."""

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.gemm import matmul
from netdesc.kernels.cpu.runtime.memory_pool import array_of, as_rows
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.spikes import (
    MAX_EVENT_DENSITY,
    Events,
    Shape,
    bitmasks_of,
    events_of,
    pack,
    unpack,
)
from netdesc.kernels.cpu.synapses.synaptic_input import current_by_events
from netdesc.kernels.cpu.synapses.weight_gradient import weight_gradient_by_events

Source = Events | np.ndarray
"""Input of a layer: events, or an array with rows, [steps · batch, inputs]."""


def source_of(signal_TBI: Tensor) -> tuple[Source, np.ndarray]:
    """Converts a tensor to the input of a layer. Also returns the tensor's packed spikes.

    If the tensor is sparse and binary, the input is events, and the packed spikes are marked as
    events. Otherwise the input is rows of numbers.
    """
    values = array_of(signal_TBI)
    packed, events = pack(values, MAX_EVENT_DENSITY)
    return as_rows(values) if events is None else events, packed


def source_for_backward(packed: Tensor, signal_TBI: Tensor | None, shape: Shape) -> Source:
    """Returns the input of a layer for its backward pass.

    The input is read from ``packed`` if its spikes are marked as events, else from ``signal_TBI``.
    """
    if (events := events_of(packed.numpy(), shape)) is not None:
        return events
    assert signal_TBI is not None, "without events the input is needed"
    return as_rows(array_of(signal_TBI))


def weight_gradient(grad_z_TBN: np.ndarray, source: Source, weight_OI: np.ndarray) -> np.ndarray:
    """Returns the gradient of real weights that read ``source``."""
    if isinstance(source, Events):
        return weight_gradient_by_events(grad_z_TBN, source, weight_OI)
    return matmul(as_rows(grad_z_TBN).T, source)


def source_from_packed(packed: np.ndarray, shape: Shape) -> Source:
    """Converts packed spikes to the input of a layer: events if marked as events, else rows."""
    events = events_of(packed, shape)
    return as_rows(unpack(bitmasks_of(packed), shape)) if events is None else events


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
