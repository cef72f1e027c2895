"""Computes segments (see ``kernels.segments``), with packed spikes between the layers.

Each layer reads the spikes of the previous layer: as events if spikes are sparse, otherwise by a
matrix product. The last layer's output is returned as floats. For the backward pass, each layer
saves the packed spikes that it has read, and what its neurons need.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.gemm import matmul
from netdesc.kernels.cpu.linear import source_for_backward, source_from_packed, source_of
from netdesc.kernels.cpu.neurons import counts_of, layer_of, tensors_of, upstream_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate, array_of, as_rows
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.spikes import Events, Shape, bitmasks_of, mark_if_sparse, new_packed
from netdesc.kernels.cpu.synapses.weight_gradient import weight_gradient_by_events
from netdesc.kernels.cpu.synapses.weights import HALF_LIMITS, on_grid, stop_at_clamped
from netdesc.kernels.cpu.walk.layer_backward import Upstream, backward_to_current
from netdesc.kernels.cpu.walk.layer_forward import (
    OutputMemory,
    float_output,
    forward_by_events,
    forward_from_current,
)
from netdesc.kernels.layer_neurons import EVENTS, PRODUCT
from netdesc.kernels.segments import SegmentGradients, SegmentLayer, SegmentOutput

_MAX_WHOLE, _OUTPUTS_PER_PIECE = 1 << 24, 128
"""The most weights that are rounded at once, and of how many outputs those of more are."""


@on_threads
def segment(input_TBI: Tensor, layers: Sequence[SegmentLayer], keep: bool) -> SegmentOutput:
    """See ``operators.segment``."""
    steps, batch, _ = input_TBI.shape
    source, packed = source_of(input_TBI)
    saved_tensors, counts = [packed], list[Tensor]()
    values = np.empty(0, np.float32)
    for number, layer in enumerate(layers, 1):
        weight_OI, neurons = array_of(layer.weight_OI), layer_of(layer.neurons)
        shape, is_last = (steps, batch, len(weight_OI)), number == len(layers)
        packed = None if is_last else new_packed(shape)
        out = float_output(shape) if packed is None else OutputMemory(bitmasks_of(packed))
        if layer.passed is not None:
            layer.passed.append(source)
        if isinstance(source, Events):
            result = forward_by_events(source, weight_OI, neurons, out, keep)
        else:
            result = forward_from_current([_current(source, weight_OI, shape)], neurons, out, keep)
        counts.append(counts_of(result, EVENTS if isinstance(source, Events) else PRODUCT))
        saved_tensors.append(result.stored)
        if packed is None:
            values = out.values.reshape(shape)
        else:
            mark_if_sparse(packed, result.nonzero, shape)
            source = source_from_packed(packed, shape)
            saved_tensors.append(packed)
    return SegmentOutput(
        torch.from_numpy(values), counts, tensors_of(saved_tensors) if keep else []
    )


def _current(rows: np.ndarray, weight_OI: np.ndarray, shape: Shape) -> np.ndarray:
    z_TBN = allocate(shape, np.float32)
    if weight_OI.size <= _MAX_WHOLE:
        matmul(rows, on_grid(weight_OI).T, as_rows(z_TBN))
        return z_TBN
    for first in range(0, len(weight_OI), _OUTPUTS_PER_PIECE):
        part = slice(first, first + _OUTPUTS_PER_PIECE)
        as_rows(z_TBN)[:, part] = matmul(rows, on_grid(weight_OI[part]).T)
    return z_TBN


@np.errstate(over="ignore", invalid="ignore")  # training reports NaN and infinity
@on_threads
def segment_backward(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    layers: Sequence[SegmentLayer],
    saved_tensors: Sequence[Tensor],
    want_input: bool,
) -> SegmentGradients:
    """See ``operators.segment_backward``; computes the last layer first."""
    steps, batch, _ = grad_out_TBN.shape
    upstream = upstream_of(grad_out_TBN)
    grad_weights, grad_parameters = list[np.ndarray](), list[np.ndarray]()
    grad_TBI = np.empty(0, np.float32)
    for number in range(len(layers) - 1, -1, -1):
        weight_OI, neurons = array_of(layers[number].weight_OI), layer_of(layers[number].neurons)
        packed, stored = saved_tensors[2 * number : 2 * number + 2]
        inputs = weight_OI.shape[1]
        if passed := layers[number].passed:
            source = passed.pop()
        elif number == 0:
            source = source_for_backward(packed, input_TBI, (steps, batch, inputs))
        else:
            source = source_from_packed(packed.numpy(), (steps, batch, inputs))
        shape = steps, batch, len(weight_OI)
        (grad_z_TBN,), parameters_PN = backward_to_current(upstream, neurons, stored.numpy(), shape)
        if isinstance(source, Events):
            grad_OI = weight_gradient_by_events(grad_z_TBN, source, weight_OI, HALF_LIMITS)
        else:
            grad_OI = matmul(as_rows(grad_z_TBN).T, source)
            stop_at_clamped(grad_OI, weight_OI)
        grad_weights.insert(0, grad_OI)
        grad_parameters[:0] = parameters_PN
        if number > 0 or want_input:
            grad_rows = matmul(as_rows(grad_z_TBN), on_grid(weight_OI))
            upstream = Upstream(grad_rows.reshape(-1), batch * inputs)
            if number == 0:
                grad_TBI = grad_rows.reshape(steps, batch, inputs)
    return SegmentGradients(
        torch.from_numpy(grad_TBI), tensors_of(grad_weights), tensors_of(grad_parameters)
    )
