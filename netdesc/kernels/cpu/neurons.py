"""The functions ``neurons`` and ``neurons_backward`` of the CPU engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.runtime.memory_pool import allocate, array_of, flat
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.walk.layer import (
    LayerNeurons,
    backward_to_current,
    float_output,
    forward_from_current,
)
from netdesc.kernels.neurons import PRODUCT, Neurons, NeuronsGradients, NeuronsOutput, state_names


def layer_of(neurons: Neurons) -> LayerNeurons:
    """Returns a layer's neurons with arrays of parameters."""
    parameters = tuple(map(array_of, neurons.parameters))
    unit_bits = neurons.definition.unit_bits
    return LayerNeurons(neurons.program, unit_bits, parameters, neurons.delay)


@on_threads
def neurons(
    inputs_TBN: Sequence[Tensor], neurons: Neurons, states: Sequence[Tensor], keep: bool
) -> NeuronsOutput:
    """See ``kernels.neurons``."""
    inputs = [array_of(each) for each in inputs_TBN]
    shape = inputs[0].shape
    out, layer = float_output(shape), layer_of(neurons)
    final = initial = np.empty((0, *shape[1:]), np.int32)
    if states:
        slots = len(neurons.program.states) + 2
        initial, final = (
            np.zeros((slots, *shape[1:]), np.int32),
            allocate((slots, *shape[1:]), np.int32),
        )
        for slot, state in enumerate(states):
            initial[slot] = state.numpy()
    result = forward_from_current(inputs, layer, out, keep, initial, final)
    notes = np.array([*result.extents, PRODUCT, result.nonzero])
    return NeuronsOutput(
        torch.from_numpy(out.values.reshape(shape)),
        torch.from_numpy(notes),
        [torch.from_numpy(each) for each in final[: len(state_names(neurons))]],
        [torch.from_numpy(result.stored)] if keep else [],
    )


@on_threads
def neurons_backward(
    grad_out_TBN: Tensor, neurons: Neurons, saved: Sequence[Tensor]
) -> NeuronsGradients:
    """See ``kernels.neurons``."""
    steps, batch, count = grad_out_TBN.shape
    inputs, parameters = backward_to_current(
        *gradient_of_output(grad_out_TBN),
        layer_of(neurons),
        saved[0].numpy(),
        (steps, batch, count),
    )
    return NeuronsGradients(
        [torch.from_numpy(each) for each in inputs], [torch.from_numpy(each) for each in parameters]
    )


def gradient_of_output(grad_TBN: Tensor) -> tuple[np.ndarray, int]:
    """Returns the gradient of a layer's output as a flat array, and the distance of its steps.

    The distance is 0 if all steps share one gradient, which is common for losses of rates.
    """
    if grad_TBN.stride(0) == 0 and len(grad_TBN) > 1:
        return flat(grad_TBN[0]), 0
    return flat(grad_TBN), grad_TBN[0].numel()
