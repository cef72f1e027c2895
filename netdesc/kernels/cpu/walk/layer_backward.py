"""The backward pass of one layer of neurons and of its input weights.

The gradient of the layer's output is in memory, or it is a matrix product: the gradient of the next
layer's synaptic input times the next layer's weights. Each thread computes the blocks of this
product that its neurons need. The blocks stay in the thread's cache, and no thread waits for
another. The whole product would take as much memory as the layer's activity.

A thread computes a few neighbouring vectors of neurons at a time, over all samples and steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.gemm.gemm import multiply_block
from netdesc.kernels.cpu.gemm.gemm_packing import TILE_ROWS
from netdesc.kernels.cpu.runtime.kernel_cache import kernel
from netdesc.kernels.cpu.runtime.layout import Matrix, Strided, sample_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import load, store
from netdesc.kernels.cpu.runtime.threads import set_thread_count
from netdesc.kernels.cpu.runtime.work_queue import item_at, next_position
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.events_by_input import ROW_BY_ROW, add_run, order_by_input
from netdesc.kernels.cpu.spikes.packed_spikes import Shape
from netdesc.kernels.cpu.synapses.weights import half_limits, write_gradient
from netdesc.kernels.cpu.walk.backward_loop import backward_loop_of, load_gradient
from netdesc.kernels.cpu.walk.cuba_step import (
    LeakAdjoint,
    NeuronParameters,
    cuba_adjoint,
    cuba_adjoint_of,
    leak_adjoint,
    share_of,
)
from netdesc.kernels.cpu.walk.voltages import Voltages, voltage_of

RUN_STEPS = 256
"""Number of consecutive steps in a run. After each run, its events are added to ``grad_OI``.

A vector's gradients of one run take 32 kB.
"""

_MAX_BLOCK_VECTORS = 4
"""Largest width of a product's block in vectors. Wide blocks read the left factor less often."""

_MAX_BLOCK_ROWS = 384
"""Largest number of rows in a product's block, a multiple of ``TILE_ROWS``.

The largest block takes 200 kB.
"""

_NO_MATRIX = np.empty((0, 0), np.float32)
_NO_VALUES = np.empty(0, np.float32)

_STATE_NUMBERS = 5 * LANES
"""Number of floats that a vector of neurons stores between two runs of a sample."""


class Upstream(NamedTuple):
    """The gradient of a layer's output [steps, batch, neurons].

    The gradient is ``above_TBK @ weight_KN`` or, if these are empty, ``values``. ``values`` is
    flat; its steps are ``stride`` numbers apart. The stride is 0 if all steps have the same
    gradient.
    """

    values: np.ndarray
    stride: int
    above_TBK: np.ndarray
    """Gradient of the next layer's synaptic input, [steps · batch, neurons of the next layer]."""
    weight_KN: np.ndarray
    """Quantised weights of the next layer."""


def upstream_from_values(values: np.ndarray, stride: int) -> Upstream:
    return Upstream(values, stride, _NO_MATRIX, _NO_MATRIX)


def upstream_from_product(above_TBK: np.ndarray, weight_KN: np.ndarray) -> Upstream:
    return Upstream(_NO_VALUES, 0, above_TBK, weight_KN)


class Gradients(NamedTuple):
    """Gradients of a layer; a gradient that is not needed is empty."""

    grad_z_TBN: np.ndarray
    """Gradient of the synaptic input."""
    grad_OI: np.ndarray
    grad_decays: np.ndarray
    """Gradients of the current's and the voltage's decay, [2, neurons]; 0 if not learnt."""


class WeightMemory(NamedTuple):
    """Real weights w [outputs, inputs], limits of ``round(32 · w)``, and the weights' gradient."""

    weight_OI: np.ndarray
    low: np.float32
    high: np.float32
    grad_OI: np.ndarray


class _Blocks(NamedTuple):
    """Number of vectors, steps and samples in a block of work."""

    vectors: int
    steps: int
    samples: int


class _Scratch(NamedTuple):
    """Scratch memory of the threads; each thread has a row of every array."""

    block: np.ndarray
    """A block of the product."""
    run: np.ndarray
    """The gradient of a vector's synaptic input in a run, if ``grad_z`` is not needed."""
    state: np.ndarray
    """The states of the vectors between runs, ``_STATE_NUMBERS`` numbers each."""
    sums: np.ndarray
    """Sums of the weights' gradient, [vectors of a block, inputs · LANES]."""


class LayerActivity(NamedTuple):
    """A layer's neurons and the voltages that its forward pass saved."""

    neurons: NeuronParameters
    voltages: Voltages
    learn: bool
    """Whether the gradients of the decays are needed."""


class _Tensors(NamedTuple):
    """A layer's ``Voltages``, and memory for the gradients that a backward pass computes.

    The fields of ``Voltages`` are repeated because Numba's parallel kernels take no nested tuples.
    """

    voltage: np.ndarray
    by_sample: int
    by_vector: int
    by_step: int
    is_padded: bool
    learn: bool
    """Whether the gradients of the decays are needed."""
    grad_z: np.ndarray
    """The gradient of the synaptic input, flat; empty if it is not needed."""
    grad_decays: np.ndarray
    """The gradients of current decays and voltage decays by sample, [batch, 2 · neurons]."""

    @classmethod
    def of(cls, layer: LayerActivity, batch: int, numbers: int) -> _Tensors:
        decays = allocate((batch, 2 * len(layer.neurons.keep_u)), np.float32)
        return cls(*layer.voltages, layer.learn, allocate((numbers,), np.float32), decays)

    def decays(self) -> np.ndarray:
        """Returns the gradients of the decays, summed over the batch, [2, neurons]."""
        with np.errstate(over="ignore", invalid="ignore"):  # training reports NaN and infinity
            return self.grad_decays.sum(axis=0).reshape(2, -1)


def backward_by_events(
    upstream: Upstream,
    layer: LayerActivity,
    events: Events,
    weight_OI: np.ndarray,
    bits: int,
    want_input: bool,
) -> Gradients:
    """Computes the gradients of a layer that reads events.

    ``grad_z_TBN`` is empty unless ``want_input``.
    """
    (outputs, inputs), steps, batch = weight_OI.shape, events.steps, events.batch
    blocks = _blocks(upstream, (steps, batch, outputs))
    by_input = order_by_input(events, inputs, outputs, blocks.steps)
    tensors = _Tensors.of(layer, batch, steps * batch * outputs if want_input else 0)
    weights = WeightMemory(weight_OI, *half_limits(bits), allocate((outputs, inputs), np.float32))
    scratch = _scratch(blocks, upstream, outputs, inputs)
    _backward(upstream, layer.neurons, tensors, events, by_input, weights, blocks, scratch)
    shape = (steps, batch, outputs) if want_input else (0, 0, 0)
    return Gradients(tensors.grad_z.reshape(shape), weights.grad_OI, tensors.decays())


def backward_to_current(upstream: Upstream, layer: LayerActivity, shape: Shape) -> Gradients:
    """Computes the gradients of the synaptic input and of the decays, without weights.

    ``shape`` is [steps, batch, neurons].
    """
    steps, batch, size = shape
    blocks, tensors = _blocks(upstream, shape), _Tensors.of(layer, batch, steps * batch * size)
    no_events = Events(steps, batch, np.zeros(1, np.int64), np.empty(0, np.int32))
    weights = WeightMemory(_NO_MATRIX, *half_limits(None), _NO_MATRIX)
    scratch = _scratch(blocks, upstream, size, 0)
    _backward(upstream, layer.neurons, tensors, no_events, ROW_BY_ROW, weights, blocks, scratch)
    return Gradients(tensors.grad_z.reshape(shape), _NO_MATRIX, tensors.decays())


def thread_count_for(neurons: int) -> int:
    """Returns the number of threads that share the vectors of a layer of ``neurons`` neurons."""
    return min(set_thread_count(), -(-neurons // LANES))


def _blocks(upstream: Upstream, shape: Shape) -> _Blocks:
    steps, batch, neurons = shape
    if not upstream.above_TBK.size:
        return _Blocks(1, min(steps, RUN_STEPS), 1)
    layer_vectors = -(-neurons // LANES)
    vectors = min(_MAX_BLOCK_VECTORS, -(-layer_vectors // set_thread_count()))
    if steps * batch <= _MAX_BLOCK_ROWS:
        return _Blocks(vectors, steps, batch)
    tiles, runs = -(-steps // TILE_ROWS), -(-steps // _MAX_BLOCK_ROWS)
    return _Blocks(vectors, -(-tiles // runs) * TILE_ROWS, 1)


def _scratch(blocks: _Blocks, upstream: Upstream, neurons: int, inputs: int) -> _Scratch:
    thread_count = thread_count_for(neurons) if inputs else set_thread_count()
    columns = blocks.vectors * LANES
    rows = blocks.steps * blocks.samples if upstream.above_TBK.size else 0
    return _Scratch(
        allocate((thread_count, rows * columns), np.float32),
        allocate((thread_count, blocks.steps * LANES), np.float32),
        allocate((thread_count, blocks.samples * blocks.vectors * _STATE_NUMBERS), np.float32),
        allocate((thread_count, blocks.vectors * inputs * LANES), np.float32),
    )


_loop = backward_loop_of(load_gradient, cuba_adjoint)
_leak_loop = backward_loop_of(load_gradient, leak_adjoint)


@numba.njit
def clear(numbers):
    """Sets all numbers to 0.

    This is a function because Numba would compile the same line in a kernel to a parallel loop
    within the loop over threads.
    """
    numbers[:] = 0


@kernel
def _backward(upstream, neurons, tensors, events, by_input, weights, blocks, scratch):
    """Fills the gradients in ``tensors`` and, if there are weights, ``weights.grad_OI``.

    Weight gradients are summed sample by sample, backward in time. So with weights, a thread
    computes all samples of its vectors; without weights, threads also share the samples.
    """
    size, batch, inputs = len(neurons.keep_u), events.batch, weights.weight_OI.shape[1]
    vectors, thread_count = (size + LANES - 1) // LANES, len(scratch.state)
    groups = (vectors + blocks.vectors - 1) // blocks.vectors
    samples_per_item = batch if inputs else blocks.samples
    count = groups * ((batch + samples_per_item - 1) // samples_per_item)
    queue = np.zeros(1, np.int64)
    for thread in numba.prange(thread_count):
        thread_scratch = _Scratch(
            scratch.block[thread], scratch.run[thread], scratch.state[thread], scratch.sums[thread]
        )
        layer, source = (neurons, tensors), (events, by_input, inputs)
        while True:
            position = next_position(queue)
            if position >= count:
                break
            item = item_at(position, count, thread_count)
            first = item % groups * blocks.vectors
            last = min(vectors, first + blocks.vectors)
            clear(thread_scratch.sums)
            start = item // groups * samples_per_item
            for sample in range(start, min(batch, start + samples_per_item), blocks.samples):
                clear(thread_scratch.state)
                samples = sample, min(batch, sample + blocks.samples)
                for until in range(events.steps, 0, -blocks.steps):
                    run = max(0, until - blocks.steps), until
                    _backward_block(
                        upstream, layer, source, (first, last), samples, run, thread_scratch
                    )
                _write_decays(tensors, (first, last), samples, thread_scratch.state)
            if inputs:
                for vector in range(first, last):
                    sums = thread_scratch.sums[(vector - first) * inputs * LANES :]
                    write_gradient(
                        sums, weights.weight_OI, weights.low, weights.high, vector * LANES,
                        weights.grad_OI,
                    )  # fmt: skip


@numba.njit
def _backward_block(upstream, layer, source, vectors, samples, run, scratch):
    """Computes the gradients of a block of vectors and samples in a run of steps."""
    (neurons, tensors), (events, by_input, inputs) = layer, source
    size, batch = len(neurons.keep_u), events.batch
    lo, hi = vectors[0] * LANES, min(size, vectors[1] * LANES)
    is_product, sample_count = len(upstream.above_TBK) > 0, samples[1] - samples[0]
    if is_product:
        _multiply_rows(upstream, (lo, hi), samples, run, batch, scratch.block)
    for vector in range(vectors[0], vectors[1]):
        first, index = vector * LANES, vector - vectors[0]
        n = min(LANES, size - first)
        sums = scratch.sums[index * inputs * LANES : (index + 1) * inputs * LANES]
        for sample in range(samples[0], samples[1]):
            if is_product:
                row = sample - samples[0] - run[0] * sample_count
                width = hi - lo
                gradient = Strided(scratch.block, row * width + first - lo, sample_count * width, n)
            else:
                at = sample * size + first
                gradient = Strided(upstream.values, at, upstream.stride, n)
            if len(tensors.grad_z):
                grad_z = sample_of(tensors.grad_z, batch, size, sample, first, n)
            else:
                grad_z = Strided(scratch.run, -run[0] * LANES, LANES, LANES)
            voltage = voltage_of(tensors, sample, vector, n)
            adjoint = cuba_adjoint_of(neurons, first, n, tensors.learn, voltage)
            state = ((sample - samples[0]) * (vectors[1] - vectors[0]) + index) * _STATE_NUMBERS
            _run_backward(gradient, adjoint, grad_z, run, neurons.delay, scratch.state, state)
            if inputs:
                add_run(events, by_input, sample, run, grad_z, sums)


@numba.njit(inline="always")
def _run_backward(gradient, adjoint, grad_z, run, delay, scratch, at):
    """Computes a run of steps of one vector of neurons, backward in time.

    The vector's state is loaded from ``scratch[at:]`` before the run, and stored there after it.
    """
    g_next = load(scratch, at, LANES)
    state = (
        load(scratch, at + LANES, LANES),
        load(scratch, at + 2 * LANES, LANES),
        load(scratch, at + 3 * LANES, LANES),
        load(scratch, at + 4 * LANES, LANES),
    )
    g_next, state = _loop(gradient, adjoint, grad_z, run, delay, g_next, state)
    store(scratch, at, g_next, LANES)
    for number in range(4):
        store(scratch, at + (number + 1) * LANES, state[number], LANES)


@numba.njit
def _multiply_rows(upstream, columns, samples, run, batch, block):
    """Fills ``block`` with the gradient of the output of the neurons ``columns`` (first, end).

    The block's rows are [steps, samples]: the steps of ``run``, and one sample or the whole batch.
    """
    terms, neurons = upstream.weight_KN.shape
    rows = (run[1] - run[0]) * (samples[1] - samples[0])
    row_stride = terms if samples[1] - samples[0] == batch else batch * terms
    start = (run[0] * batch + samples[0]) * terms
    left = Matrix(upstream.above_TBK.reshape(-1), start, row_stride, 1)
    right = Matrix(upstream.weight_KN.reshape(-1), columns[0], neurons, 1)
    width = columns[1] - columns[0]
    multiply_block(left, right, (rows, terms, width), False, Matrix(block, 0, width, 1))


@numba.njit(inline="always")
def _write_decays(tensors, vectors, samples, state):
    """Copies the gradients of the decays from the final ``state`` to ``tensors.grad_decays``."""
    neurons = tensors.grad_decays.shape[1] // 2
    for sample in range(samples[0], samples[1]):
        for vector in range(vectors[0], vectors[1]):
            index = (sample - samples[0]) * (vectors[1] - vectors[0]) + vector - vectors[0]
            at, first = index * _STATE_NUMBERS, vector * LANES
            n = min(LANES, neurons - first)
            grad_u, grad_v = load(state, at + 3 * LANES, LANES), load(state, at + 4 * LANES, LANES)
            store(tensors.grad_decays[sample], first, grad_u, n)
            store(tensors.grad_decays[sample], neurons + first, grad_v, n)


@kernel
def leaky_backward_all(grad_u_TBN, u_TBN, keep, learn, grad_z_TBN, grad_decay_BN):
    """Computes the adjoint of ``leaky_forward``: fills ``grad_z_TBN`` and ``grad_decay_BN``.

    ``u_TBN``, the result of ``leaky_forward``, is read only if ``learn``.
    """
    steps, batch, neurons = grad_u_TBN.shape
    grad_u, u, grad_z = grad_u_TBN.reshape(-1), u_TBN.reshape(-1), grad_z_TBN.reshape(-1)
    vectors, zero = (neurons + LANES - 1) // LANES, broadcast(np.float32(0))
    for item in numba.prange(batch * vectors):
        sample, first = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - first)
        current = sample_of(u, batch, neurons, sample, first, n)
        layer = LeakAdjoint(share_of(load(keep, first, n)), learn, current)
        upstream = sample_of(grad_u, batch, neurons, sample, first, n)
        sample_grad_z = sample_of(grad_z, batch, neurons, sample, first, n)
        _, state = _leak_loop(upstream, layer, sample_grad_z, (0, steps), 0, zero, (zero, zero))
        store(grad_decay_BN[sample], first, state[1], n)
