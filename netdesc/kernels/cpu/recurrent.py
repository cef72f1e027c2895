"""The functions ``recurrent`` and ``recurrent_backward`` of the CPU engine."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from torch import Tensor

from netdesc.kernels.cpu.neurons import layer_of, run_neurons, tensors_of, upstream_of
from netdesc.kernels.cpu.runtime.memory_pool import array_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.segment import source_of, weight_gradient
from netdesc.kernels.cpu.walk.layer_backward import backward_with_feedback
from netdesc.kernels.cpu.walk.layer_forward import forward_with_feedback
from netdesc.kernels.layer_neurons import Neurons, NeuronsGradients, NeuronsOutput


@on_threads
def recurrent(
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: Neurons,
    states: Sequence[Tensor],
    keep: bool,
) -> NeuronsOutput:
    """See ``kernels.layer_neurons``."""
    weights = [array_of(each) for each in weights_NN]
    forward = functools.partial(forward_with_feedback, weights_NN=weights)
    return run_neurons(forward, inputs_TBN, neurons, states, keep)


@on_threads
def recurrent_backward(
    grad_out_TBN: Tensor,
    before_TBN: Tensor,
    weights_NN: Sequence[Tensor],
    neurons: Neurons,
    saved: Sequence[Tensor],
    want_weights: bool,
) -> NeuronsGradients:
    """See ``kernels.layer_neurons``."""
    weights = [array_of(each) for each in weights_NN]
    steps, batch, count = grad_out_TBN.shape
    upstream, stored = upstream_of(grad_out_TBN), saved[0].numpy()
    grads, parameters = backward_with_feedback(
        upstream, weights, layer_of(neurons), stored, (steps, batch, count)
    )
    found: list[Tensor] = []
    if want_weights:
        source, _ = source_of(before_TBN)
        pairs = zip(grads, weights, strict=True)
        found = tensors_of(weight_gradient(grad, source, weight) for grad, weight in pairs)
    return NeuronsGradients(tensors_of(grads), found, tensors_of(parameters))
