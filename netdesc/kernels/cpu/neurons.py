"""The functions of the CPU engine for neurons, also for those that read their own outputs."""

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels import layer_neurons
from netdesc.kernels.cpu.linear import source_of, weight_gradient
from netdesc.kernels.cpu.runtime.memory_pool import allocate, array_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.walk import layer_backward, layer_forward
from netdesc.kernels.grid import grids_of, parameter_vector, shared_vectors


def layer_of(neurons: layer_neurons.KernelNeurons) -> layer_forward.LayerNeurons:
    """Returns a layer's neurons with arrays of parameters."""
    if neurons.engine_form is None:
        program, count, unit = neurons.program, neurons.count, neurons.state_unit
        values, arrays = neurons.real_parameters, dict(neurons.fixed_arrays)
        shared: dict[int, str] = {}
        for index, kind in enumerate(program.parameters.values()):
            if index in arrays:
                continue
            if values[index].dim() or kind == "real":
                arrays[index] = array_of(parameter_vector(kind, values[index], count, unit))
            else:
                shared[index] = kind
        if shared:
            numbers = np.array([values[index].detach().numpy() for index in shared])
            vectors = shared_vectors(numbers, grids_of(tuple(shared.values()), unit), count)
            arrays.update(zip(shared, vectors, strict=True))
        if not neurons.fixed_arrays:
            fixed = {index: arrays[index] for index in arrays if not values[index].requires_grad}
            neurons.fixed_arrays.update(fixed)
        ordered = tuple(map(arrays.__getitem__, range(len(values))))
        neurons.engine_form = layer_forward.LayerNeurons(
            program, neurons.definition.unit_bits, ordered, neurons.delay
        )
    return neurons.engine_form


@on_threads
def neurons(
    inputs_TBN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> layer_neurons.NeuronsOutput:
    """See ``kernels.layer_neurons``."""
    return run_neurons(layer_forward.forward_from_current, inputs_TBN, neurons, states, keep)


def run_neurons(
    forward: Callable[..., layer_forward.ForwardResult],
    inputs_TBN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> layer_neurons.NeuronsOutput:
    """Runs neurons with a function of ``layer_forward``, which gets these arguments as arrays."""
    inputs = [array_of(each) for each in inputs_TBN]
    shape = inputs[0].shape
    out, memory = layer_forward.float_output(shape), layer_forward.StateMemory()
    if states:
        initial = np.zeros((len(neurons.program.states) + 2, *shape[1:]), np.int32)
        for slot, state in enumerate(states):
            initial[slot] = state.numpy()
        memory = layer_forward.StateMemory(initial, allocate(initial.shape, np.int32))
    result = forward(inputs, layer_of(neurons), out, keep, memory)
    return layer_neurons.NeuronsOutput(
        torch.from_numpy(out.values.reshape(shape)),
        counts_of(result, layer_neurons.PRODUCT),
        tensors_of(memory.final[: len(layer_neurons.state_names(neurons))]),
        [torch.from_numpy(result.stored)] if keep else [],
    )


def counts_of(result: layer_forward.ForwardResult, path: int) -> Tensor:
    """Returns the counts of a layer; ``path`` is ``PRODUCT`` or ``EVENTS``."""
    return torch.from_numpy(np.array([*result.extents.tolist(), path, result.nonzero]))


@np.errstate(over="ignore", invalid="ignore")  # training reports NaN and infinity
@on_threads
def neurons_backward(
    grad_out_TBN: Tensor, neurons: layer_neurons.KernelNeurons, saved: Sequence[Tensor]
) -> layer_neurons.NeuronsGradients:
    """See ``kernels.layer_neurons``."""
    steps, batch, count = grad_out_TBN.shape
    inputs, parameters = layer_backward.backward_to_current(
        upstream_of(grad_out_TBN), layer_of(neurons), saved[0].numpy(), (steps, batch, count)
    )
    return layer_neurons.NeuronsGradients(tensors_of(inputs), [], tensors_of(parameters))


@on_threads
def recurrent(
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> layer_neurons.NeuronsOutput:
    """See ``kernels.layer_neurons``."""
    weights = [array_of(each) for each in weights_NN]
    forward = functools.partial(layer_forward.forward_with_feedback, weights_NN=weights)
    return run_neurons(forward, inputs_TBN, neurons, states, keep)


@np.errstate(over="ignore", invalid="ignore")
@on_threads
def recurrent_backward(
    grad_out_TBN: Tensor,
    before_TBN: Tensor,
    weights_NN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    saved: Sequence[Tensor],
    want_weights: bool,
) -> layer_neurons.NeuronsGradients:
    """See ``kernels.layer_neurons``."""
    weights = [array_of(each) for each in weights_NN]
    steps, batch, count = grad_out_TBN.shape
    upstream, stored = upstream_of(grad_out_TBN), saved[0].numpy()
    grads, parameters = layer_backward.backward_with_feedback(
        upstream, weights, layer_of(neurons), stored, (steps, batch, count)
    )
    found: list[Tensor] = []
    if want_weights:
        source, _ = source_of(before_TBN)
        pairs = zip(grads, weights, strict=True)
        found = tensors_of(weight_gradient(grad, source, weight) for grad, weight in pairs)
    return layer_neurons.NeuronsGradients(tensors_of(grads), found, tensors_of(parameters))


def tensors_of(arrays: Iterable[np.ndarray]) -> list[Tensor]:
    return [*map(torch.from_numpy, arrays)]


def upstream_of(grad_TBN: Tensor) -> layer_backward.Upstream:
    """Converts the gradient of a layer's output to ``Upstream``.

    The stride is 0 if all steps share one gradient, which is common for losses of rates.
    """
    if grad_TBN.stride(0) == 0 and len(grad_TBN) > 1:
        return layer_backward.Upstream(array_of(grad_TBN[0]).reshape(-1), 0)
    return layer_backward.Upstream(array_of(grad_TBN).reshape(-1), grad_TBN[0].numel())
