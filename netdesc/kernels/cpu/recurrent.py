"""The functions ``recurrent`` and ``recurrent_backward`` of the CPU engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netdesc.kernels.cpu.gemm.gemm import matmul
from netdesc.kernels.cpu.neurons import layer_of, memory_of, notes_of, upstream_of
from netdesc.kernels.cpu.runtime.memory_pool import array_of, as_rows
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.segment import source_of
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.weight_gradient import weight_gradient_by_events
from netdesc.kernels.cpu.walk.layer_backward import backward_with_feedback
from netdesc.kernels.cpu.walk.layer_forward import StateMemory, float_output, forward_with_feedback
from netdesc.kernels.neurons import PRODUCT, Neurons, NeuronsOutput, state_names
from netdesc.kernels.recurrence import RecurrentGradients


@on_threads
def recurrent(
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: Neurons,
    states: Sequence[Tensor],
    keep: bool,
) -> NeuronsOutput:
    """See ``kernels.recurrence``."""
    inputs = [array_of(each) for each in inputs_TBN]
    shape = inputs[0].shape
    out, memory = float_output(shape), StateMemory()
    if states:
        memory = memory_of(states, (len(neurons.program.states) + 2, *shape[1:]))
    weights = [array_of(each) for each in weights_NN]
    result = forward_with_feedback(inputs, weights, layer_of(neurons), out, keep, memory)
    return NeuronsOutput(
        torch.from_numpy(out.values.reshape(shape)),
        notes_of(result, PRODUCT),
        [torch.from_numpy(each) for each in memory.final[: len(state_names(neurons))]],
        [torch.from_numpy(result.stored)] if keep else [],
    )


@on_threads
def recurrent_backward(
    grad_out_TBN: Tensor,
    before_TBN: Tensor,
    weights_NN: Sequence[Tensor],
    neurons: Neurons,
    saved: Sequence[Tensor],
    want_weights: bool,
) -> RecurrentGradients:
    """See ``kernels.recurrence``."""
    weights = [array_of(each) for each in weights_NN]
    steps, batch, count = grad_out_TBN.shape
    upstream, stored = upstream_of(grad_out_TBN), saved[0].numpy()
    grads, parameters = backward_with_feedback(
        upstream, weights, layer_of(neurons), stored, (steps, batch, count)
    )
    found: list[Tensor] = []
    if want_weights:
        source, _ = source_of(before_TBN)
        for grad, weight in zip(grads, weights, strict=True):
            if isinstance(source, Events):
                found.append(torch.from_numpy(weight_gradient_by_events(grad, source, weight)))
            else:
                found.append(torch.from_numpy(matmul(as_rows(grad).T, source)))
    return RecurrentGradients(
        [torch.from_numpy(each) for each in grads],
        found,
        [torch.from_numpy(each) for each in parameters],
    )
