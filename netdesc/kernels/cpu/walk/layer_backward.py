"""The backward pass of one layer of neurons and of its input weights: arguments for the kernels.

The gradient of the layer's output is in memory, or it is a matrix product: the gradient of the next
layer's synaptic input times the next layer's weights. Each thread computes the blocks of this
product that its neurons need. The blocks stay in the thread's cache, and no thread waits for
another. The whole product would take as much memory as the layer's activity.
"""

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from netdesc.kernels.cpu.gemm import TILE_COLUMNS, TILE_ROWS, product_memory
from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread, allocate_scratch
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import current_call
from netdesc.kernels.cpu.runtime.tiles import (
    MAX_TILE,
    RUN_STEPS,
    Blocks,
    BlockScratch,
    BlockWork,
    FeedbackMemory,
    LayerShape,
    layer_shape,
)
from netdesc.kernels.cpu.spikes import Events, Shape
from netdesc.kernels.cpu.synapses.weight_gradient import ROW_BY_ROW, EventsByInput, order_by_input
from netdesc.kernels.cpu.synapses.weights import NO_LIMITS, WeightMemory
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.kernels.cpu.walk.layer_forward import LayerNeurons
from netdesc.neurons.program import Program

_MAX_BLOCK_VECTORS = 4
"""Largest width of a product's block in vectors. Wide blocks read the left factor less often."""

_MAX_BLOCK_ROWS = 384
"""Largest number of rows in a product's block, a multiple of ``TILE_ROWS``.

The largest block takes 200 kB.
"""

_NO_MATRIX = np.empty((0, 0), np.float32)
_NO_VALUES = np.empty(0, np.float32)
_NO_GRADIENT = np.empty((0, 0, 0), np.float32)


class Upstream(NamedTuple):
    """The gradient of a layer's output [steps, batch, neurons].

    The gradient is ``above_TBK @ weight_KN`` or, if these are empty, ``values``. ``values`` is
    flat; its steps are ``stride`` numbers apart. The stride is 0 if all steps have the same
    gradient.
    """

    values: np.ndarray = _NO_VALUES
    stride: int = 0
    above_TBK: np.ndarray = _NO_MATRIX
    """Gradient of the next layer's synaptic input, [steps · batch, neurons of the next layer]."""
    weight_KN: np.ndarray = _NO_MATRIX
    """Quantised weights of the next layer."""


class Gradients(NamedTuple):
    """Gradients of a layer; a gradient that is not needed is empty."""

    grad_z_TBN: np.ndarray
    """Gradient of the synaptic input."""
    grad_OI: np.ndarray
    parameters_PN: np.ndarray
    """Gradients of the program's parameters, in its order."""


class BackwardActivity(NamedTuple):
    """What the kernels read and write besides gradients of input and output."""

    stored: np.ndarray
    """What the forward pass stored (see ``ForwardActivity``)."""
    grad_parameters: np.ndarray
    """Memory for the gradients of parameters, flat [parameters, batch, neurons]."""
    scratch: np.ndarray


class SynapsesMemory(NamedTuple):
    """What the synapses of a layer read, and where their gradients are written."""

    events: Events
    by_input: EventsByInput
    weights: WeightMemory
    """Its matrices are empty if their gradient is computed elsewhere."""
    grad_z: np.ndarray
    """The gradient of the synaptic input, flat [steps, batch, neurons].

    It may be empty if there are weights.
    """


def _activity(
    neurons: LayerNeurons, shape: Shape, stored: np.ndarray, scratch: np.ndarray = _NO_VALUES
) -> BackwardActivity:
    count = len(neurons.program.adjoint.parameters)
    grad_parameters = allocate((count, *shape[1:]), np.float32).reshape(-1)
    return BackwardActivity(stored, grad_parameters, scratch)


def _parameter_gradients(activity: BackwardActivity, shape: Shape) -> np.ndarray:
    return np.add.reduce(activity.grad_parameters.reshape(-1, *shape[1:]), axis=1)


def backward_to_current(
    upstream: Upstream, neurons: LayerNeurons, stored: np.ndarray, shape: Shape
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the gradients of the inputs, and of the parameters [parameters, neurons].

    ``shape`` is [steps, batch, neurons]. ``upstream`` must not be a product.
    """
    kernels = kernels_of(neurons.program, neurons.unit_bits, "backward")
    work = layer_shape(shape, neurons.delay, current_call.threads, MAX_TILE)
    grads = [allocate(shape, np.float32) for _ in neurons.program.inputs]
    size = work.tile * kernels.SLOTS * LANES
    scratch = allocate_per_thread(work.threads, size, np.float32).reshape(-1)
    activity, queue = _activity(neurons, shape, stored, scratch), np.zeros(1, np.int64)
    flat = tuple(each.reshape(-1) for each in grads)
    kernels.backward_to_current(
        upstream.values, upstream.stride, neurons.parameters, activity, flat, work, queue
    )
    return grads, _parameter_gradients(activity, shape)


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
    nothing = np.empty((work.threads, 0), np.float32)
    state = allocate_per_thread(work.threads, slots, np.float32)
    memory = BlockScratch(nothing, nothing, state, nothing, nothing)
    activity = _activity(neurons, shape, stored)
    panels = tuple(map(_panels, weights_NN))
    block = TILE_ROWS * len(panels[0]) * TILE_COLUMNS
    numbers = allocate_per_thread(work.threads, block, np.float32)
    feedback = FeedbackMemory(panels, numbers, np.empty(0, np.int32))
    kernels.backward_with_feedback(
        upstream, neurons.parameters, activity,
        tuple(each.reshape(-1) for each in rows), feedback,
        BlockWork(work, Blocks(0, 0, group), memory, np.zeros(1, np.int64)),
    )  # fmt: skip
    grads = [each[: steps * batch].reshape(shape) for each in rows]
    return grads, _parameter_gradients(activity, shape)


def _panels(weight_NN: np.ndarray) -> np.ndarray:
    """Copies a right factor into panels, [panels, terms · TILE_COLUMNS], the last with zeros."""
    terms, columns = weight_NN.shape
    count = -(-columns // TILE_COLUMNS)
    padded = np.zeros((terms, count * TILE_COLUMNS), np.float32)
    padded[:, :columns] = weight_NN
    by_panel = padded.reshape(terms, count, TILE_COLUMNS).transpose(1, 0, 2)
    return np.ascontiguousarray(by_panel).reshape(count, -1)


def backward_by_events(
    upstream: Upstream,
    neurons: LayerNeurons,
    stored: np.ndarray,
    events: Events,
    weights: WeightMemory,
    want_input: bool,
) -> Gradients:
    """Computes the gradients of a layer that reads events; fills ``weights.grad_OI``.

    ``grad_z_TBN`` is empty unless ``want_input``.
    """
    outputs, inputs = weights.weight_OI.shape
    shape = events.steps, events.batch, outputs
    plan = _plan_of(upstream, neurons, shape, inputs)
    by_input = order_by_input(events, inputs, outputs, plan.blocks.steps)
    grad_z_TBN = allocate(shape, np.float32) if want_input else _NO_GRADIENT
    synapses = SynapsesMemory(events, by_input, weights, grad_z_TBN.reshape(-1))
    parameters_PN = _run(plan, upstream, neurons, stored, synapses)
    return Gradients(grad_z_TBN, weights.grad_OI, parameters_PN)


def backward_from_product(
    upstream: Upstream, neurons: LayerNeurons, stored: np.ndarray, shape: Shape
) -> Gradients:
    """Computes the gradients of a layer without weights, of any ``upstream``."""
    steps, batch, _ = shape
    no_events = Events(steps, batch, np.zeros(1, np.int64), np.empty(0, np.int32))
    weights = WeightMemory(_NO_MATRIX, *NO_LIMITS, _NO_MATRIX)
    grad_z_TBN = allocate(shape, np.float32)
    synapses = SynapsesMemory(no_events, ROW_BY_ROW, weights, grad_z_TBN.reshape(-1))
    plan = _plan_of(upstream, neurons, shape, 0)
    parameters_PN = _run(plan, upstream, neurons, stored, synapses)
    return Gradients(grad_z_TBN, _NO_MATRIX, parameters_PN)


class BackwardPlan(NamedTuple):
    """What all backward passes of a layer share, in which input and output have one shape."""

    kernels: ModuleType
    work: LayerShape
    blocks: Blocks
    scratch: tuple[int, ...]
    """The numbers that a thread needs for each array of ``BlockScratch``."""


def _plan_of(upstream: Upstream, neurons: LayerNeurons, shape: Shape, inputs: int) -> BackwardPlan:
    terms = len(upstream.weight_KN) if upstream.above_TBK.size else 0
    program, threads = neurons.program, current_call.threads
    return _plan(program, neurons.unit_bits, neurons.delay, shape, inputs, terms, threads)


@functools.lru_cache(maxsize=256)
def _plan(
    program: Program,
    unit_bits: int,
    delay: int,
    shape: Shape,
    inputs: int,
    terms: int,
    threads: int,
) -> BackwardPlan:
    """``terms`` is the number of terms of the upstream product, 0 if it is no product."""
    kernels = kernels_of(program, unit_bits, "backward")
    blocks = _blocks(shape, terms, threads)
    layer_vectors = -(-shape[2] // LANES)
    work = layer_shape(shape, delay, min(threads, layer_vectors) if inputs else threads, 1)
    rows = blocks.steps * blocks.samples if terms else 0
    scratch = (
        rows * blocks.vectors * LANES,
        blocks.steps * LANES,
        blocks.samples * blocks.vectors * kernels.SLOTS * LANES,
        blocks.vectors * inputs * LANES,
        product_memory(rows, terms, is_copied=False),
    )
    return BackwardPlan(kernels, work, blocks, scratch)


def _run(
    plan: BackwardPlan,
    upstream: Upstream,
    neurons: LayerNeurons,
    stored: np.ndarray,
    synapses: SynapsesMemory,
) -> np.ndarray:
    work = plan.work
    shape = work.steps, work.batch, work.neurons
    activity = _activity(neurons, shape, stored)
    memory = BlockScratch(*allocate_scratch(work.threads, plan.scratch, np.float32))
    plan.kernels.backward_of_layer(
        upstream, neurons.parameters, activity, synapses,
        BlockWork(work, plan.blocks, memory, np.zeros(1, np.int64)),
    )  # fmt: skip
    return _parameter_gradients(activity, shape)


def _blocks(shape: Shape, terms: int, threads: int) -> Blocks:
    steps, batch, neurons = shape
    if not terms:
        return Blocks(1, min(steps, RUN_STEPS), 1)
    layer_vectors = -(-neurons // LANES)
    vectors = min(_MAX_BLOCK_VECTORS, -(-layer_vectors // threads))
    if steps * batch <= _MAX_BLOCK_ROWS:
        return Blocks(vectors, steps, batch)
    tiles, runs = -(-steps // TILE_ROWS), -(-steps // _MAX_BLOCK_ROWS)
    return Blocks(vectors, -(-tiles // runs) * TILE_ROWS, 1)
