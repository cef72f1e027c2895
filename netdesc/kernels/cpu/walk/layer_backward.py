"""The backward pass of one layer of neurons: arguments for the generated kernels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netdesc.kernels.cpu.gemm import TILE_COLUMNS, TILE_ROWS
from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import current_call
from netdesc.kernels.cpu.runtime.tiles import MAX_TILE, FeedbackMemory, layer_shape
from netdesc.kernels.cpu.spikes import Shape
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.kernels.cpu.walk.layer_forward import LayerNeurons


class Upstream(NamedTuple):
    """The gradient of a layer's output [steps, batch, neurons], flat.

    Its steps are ``stride`` numbers apart, 0 if all steps have the same gradient.
    """

    values: np.ndarray
    stride: int


class BackwardActivity(NamedTuple):
    """What the kernels read and write besides gradients of input and output."""

    stored: np.ndarray
    """What the forward pass stored (see ``ForwardActivity``)."""
    grad_parameters: np.ndarray
    """Memory for the gradients of parameters, flat [parameters, batch, neurons]."""
    scratch: np.ndarray


def backward_to_current(
    upstream: Upstream, neurons: LayerNeurons, stored: np.ndarray, shape: Shape
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the gradients of the inputs, and of the parameters [parameters, neurons].

    ``shape`` is [steps, batch, neurons].
    """
    kernels = kernels_of(neurons.program, neurons.unit_bits, "backward")
    work = layer_shape(shape, neurons.delay, current_call.threads, MAX_TILE)
    grads = [allocate(shape, np.float32) for _ in neurons.program.inputs]
    size = work.tile * kernels.SLOTS * LANES
    scratch = allocate_per_thread(work.threads, size, np.float32).reshape(-1)
    grad_parameters = allocate((len(neurons.program.adjoint.parameters), *shape[1:]), np.float32)
    activity = BackwardActivity(stored, grad_parameters.reshape(-1), scratch)
    flat, queue = tuple(each.reshape(-1) for each in grads), np.zeros(1, np.int64)
    kernels.backward_to_current(*upstream, neurons.parameters, activity, flat, work, queue)
    return grads, np.add.reduce(grad_parameters, axis=1)


def backward_with_feedback(
    upstream: Upstream,
    weights_NN: Sequence[np.ndarray],
    neurons: LayerNeurons,
    stored: np.ndarray,
    shape: Shape,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Computes ``backward_to_current`` of neurons that read their own outputs of the step before.

    The gradients are those of the inputs with what came from the weights.
    """
    kernels = kernels_of(neurons.program, neurons.unit_bits, "backward")
    steps, batch, count = shape
    work = layer_shape(shape, neurons.delay, current_call.threads, None)
    group = min(TILE_ROWS, -(-batch // work.threads))
    # A tile of the product reads whole rows behind those of its samples.
    rows = [allocate((steps * batch + TILE_ROWS, count), np.float32) for _ in weights_NN]
    slots = group * work.vectors * kernels.SLOTS * LANES
    scratch = allocate_per_thread(work.threads, slots, np.float32).reshape(-1)
    grad_parameters = allocate((len(neurons.program.adjoint.parameters), *shape[1:]), np.float32)
    activity = BackwardActivity(stored, grad_parameters.reshape(-1), scratch)
    panels = tuple(map(_panels, weights_NN))
    block = TILE_ROWS * len(panels[0]) * TILE_COLUMNS
    numbers = allocate_per_thread(work.threads, block, np.float32)
    feedback = FeedbackMemory(panels, numbers, np.empty(0, np.int32))
    kernels.backward_with_feedback(
        upstream, neurons.parameters, activity,
        tuple(each.reshape(-1) for each in rows), feedback, work, np.zeros(1, np.int64),
    )  # fmt: skip
    grads = [each[: steps * batch].reshape(shape) for each in rows]
    return grads, np.add.reduce(grad_parameters, axis=1)


def _panels(weight_NN: np.ndarray) -> np.ndarray:
    """Copies a right factor into panels, [panels, terms · TILE_COLUMNS], the last with zeros."""
    terms, columns = weight_NN.shape
    count = -(-columns // TILE_COLUMNS)
    padded = np.zeros((terms, count * TILE_COLUMNS), np.float32)
    padded[:, :columns] = weight_NN
    by_panel = padded.reshape(terms, count, TILE_COLUMNS).transpose(1, 0, 2)
    return np.ascontiguousarray(by_panel).reshape(count, -1)
