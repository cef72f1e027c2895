"""The forward and backward pass of one layer of neurons: memory for the generated kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import set_thread_count
from netdesc.kernels.cpu.spikes.packed_spikes import Shape, packed_items
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.kernels.cpu.walk.tiles import MAX_TILE, layer_shape
from netdesc.neurons.program import Program

_NO_BITMASKS, _NO_VALUES = np.empty(0, np.int32), np.empty(0, np.float32)
NO_STATES = np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class LayerNeurons:
    """The neurons of a layer: their program, and their parameters on the grid."""

    program: Program
    unit_bits: int
    parameters: tuple[np.ndarray, ...]
    delay: int


class ForwardActivity(NamedTuple):
    """What a forward pass reads and writes besides its input."""

    bitmasks: np.ndarray
    """The output as bitmasks (see ``packed_spikes``); empty if it is written as floats."""
    values: np.ndarray
    """The output as floats, flat [steps, batch, neurons]; empty if it is written as bitmasks."""
    stored: np.ndarray
    """What the backward pass needs, int32, flat [batch, vectors, steps, slots, LANES].

    If no backward pass follows, all steps overwrite one: [batch, vectors, slots, LANES].
    """
    stored_steps: int
    by_step: int
    """Distance of steps in ``stored``: 1, or 0 if all steps overwrite one."""
    initial: np.ndarray
    """States before the first step, flat [states + 2, batch, neurons]; empty if they are 0."""
    final: np.ndarray
    """Memory for the states after the last step, as ``initial``; empty if nobody needs them."""
    scratch: np.ndarray


class BackwardActivity(NamedTuple):
    """What a backward pass reads and writes besides gradients of input and output."""

    stored: np.ndarray
    """See ``ForwardActivity``."""
    grad_parameters: np.ndarray
    """Memory for the gradients of parameters, flat [parameters, batch, neurons]."""
    scratch: np.ndarray


class Output(NamedTuple):
    """Memory for a layer's output: bitmasks or floats. The array that is not used is empty."""

    bitmasks: np.ndarray
    values: np.ndarray


def bitmask_output(bitmasks: np.ndarray) -> Output:
    return Output(bitmasks, _NO_VALUES)


def float_output(shape: Shape) -> Output:
    """Allocates memory for floats [steps, batch, neurons]."""
    return Output(_NO_BITMASKS, allocate(shape, np.float32).reshape(-1))


class ForwardResult(NamedTuple):
    """Statistics and saved values of a forward pass."""

    extents: np.ndarray
    """Largest magnitude of each state before its reset, int64 [states]."""
    nonzero: int
    """Number of outputs that are not 0."""
    stored: np.ndarray


def forward_from_current(
    inputs_TBN: Sequence[np.ndarray],
    neurons: LayerNeurons,
    out: Output,
    keep: bool,
    initial: np.ndarray = NO_STATES,
    final: np.ndarray = NO_STATES,
) -> ForwardResult:
    """Fills ``out``, and ``final`` unless it is empty. ``keep`` says if a backward pass follows.

    ``initial`` and ``final`` are states, [states + 2, batch, neurons].
    """
    program, shape = neurons.program, inputs_TBN[0].shape
    kernels = kernels_of(program, neurons.unit_bits, "forward")
    work = layer_shape(shape, neurons.delay, set_thread_count(), MAX_TILE)
    stored_steps = shape[0] if keep else 1
    lanes = packed_items(shape) * LANES
    stored = allocate((lanes * stored_steps * len(program.forward.stored),), np.int32)
    vectors = kernels.EXTENTS + 1 + work.tile * kernels.SLOTS
    scratch = np.zeros((work.threads, vectors, LANES), np.int32)
    activity = ForwardActivity(
        *out, stored, stored_steps, int(keep), initial.reshape(-1), final.reshape(-1),
        scratch.reshape(-1),
    )  # fmt: skip
    inputs = tuple(each.reshape(-1) for each in inputs_TBN)
    kernels.forward_from_current(inputs, neurons.parameters, activity, work, np.zeros(1, np.int64))
    states, count = len(program.states), kernels.EXTENTS
    extents = scratch[:, :states].max(axis=(0, 2)).astype(np.int64)
    return ForwardResult(extents, int(scratch[:, count].sum()), stored)


def backward_to_current(
    upstream: np.ndarray, stride: int, neurons: LayerNeurons, stored: np.ndarray, shape: Shape
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the gradients of the inputs, and of the learnt parameters [parameters, neurons].

    ``upstream`` is the gradient of the output, flat [steps, batch, neurons]; its steps are
    ``stride`` numbers apart.
    """
    backward = neurons.program.backward
    kernels = kernels_of(neurons.program, neurons.unit_bits, "backward")
    work = layer_shape(shape, neurons.delay, set_thread_count(), MAX_TILE)
    grads = [allocate(shape, np.float32) for _ in neurons.program.inputs]
    by_sample = allocate((len(backward.parameters), *shape[1:]), np.float32)
    scratch = allocate((work.threads * work.tile * kernels.SLOTS * LANES,), np.float32)
    activity = BackwardActivity(stored, by_sample.reshape(-1), scratch)
    flat = tuple(each.reshape(-1) for each in grads)
    kernels.backward_to_current(
        upstream, stride, neurons.parameters, activity, flat, work, np.zeros(1, np.int64)
    )
    with np.errstate(over="ignore", invalid="ignore"):  # training reports NaN and infinity
        return grads, by_sample.sum(axis=1)
