"""The forward pass of one layer of neurons: arguments for the generated kernels."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import current_call
from netdesc.kernels.cpu.runtime.tiles import MAX_TILE, FeedbackMemory, LayerShape, layer_shape
from netdesc.kernels.cpu.spikes import Events, Shape
from netdesc.kernels.cpu.synapses.weights import integer_sums, integer_vectors
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.neurons.program import Program

_NO_INTS, _NO_FLOATS = np.empty(0, np.int32), np.empty(0, np.float32)


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
    """The output as bitmasks (see ``cpu.spikes``); empty if it is written as floats."""
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


class OutputMemory(NamedTuple):
    """Memory for a layer's output: bitmasks or floats. The array that is not used is empty."""

    bitmasks: np.ndarray = _NO_INTS
    values: np.ndarray = _NO_FLOATS


def float_output(shape: Shape) -> OutputMemory:
    """Allocates memory for floats [steps, batch, neurons]."""
    return OutputMemory(values=allocate(shape, np.float32).reshape(-1))


class ForwardResult(NamedTuple):
    """Statistics and saved values of a forward pass."""

    extents: np.ndarray
    """Largest magnitude of each state before its reset, int32 [states]."""
    nonzero: int
    """Number of outputs that are not 0."""
    stored: np.ndarray


class StateMemory(NamedTuple):
    """States before the first and after the last step, int32 [states + 2, batch, neurons].

    If they are empty, states begin at 0, or are not needed after the last step.
    """

    initial: np.ndarray = _NO_INTS
    final: np.ndarray = _NO_INTS


_FROM_ZERO = StateMemory()


class ForwardPlan(NamedTuple):
    """What all forward passes of a layer share, in which input and output have one shape."""

    kernels: ModuleType
    work: LayerShape
    stored_steps: int
    stored: int
    """How many numbers are stored for the backward pass."""
    scratch: int
    """How many numbers a thread needs as scratch memory."""


@functools.lru_cache(maxsize=256)
def _plan(
    program: Program,
    unit_bits: int,
    delay: int,
    shape: Shape,
    threads: int,
    keep: bool,
    max_tile: int | None,
) -> ForwardPlan:
    kernels = kernels_of(program, unit_bits, "forward")
    work = layer_shape(shape, delay, threads, max_tile)
    stored_steps = shape[0] if keep else 1
    numbers = work.batch * work.vectors * LANES  # each sample starts a new vector
    stored = numbers * stored_steps * len(program.forward.stored)
    scratch = (kernels.EXTENTS + 1 + work.tile * kernels.SLOTS) * LANES
    return ForwardPlan(kernels, work, stored_steps, stored, scratch)


def forward_from_current(
    inputs_TBN: Sequence[np.ndarray],
    neurons: LayerNeurons,
    out: OutputMemory,
    keep: bool,
    states: StateMemory = _FROM_ZERO,
) -> ForwardResult:
    """Fills ``out`` and ``states.final``, computed from inputs in threshold units.

    ``keep`` says whether a backward pass follows.
    """
    plan = _plan_of(neurons, inputs_TBN[0].shape, keep, MAX_TILE)
    inputs = tuple(each.reshape(-1) for each in inputs_TBN)
    return _run(plan, plan.kernels.forward_from_current, (inputs,), neurons, out, states)


def forward_with_feedback(
    inputs_TBN: Sequence[np.ndarray],
    neurons: LayerNeurons,
    out: OutputMemory,
    keep: bool,
    states: StateMemory,
    weights_NN: Sequence[np.ndarray],
) -> ForwardResult:
    """Computes ``forward_from_current`` of neurons that read their own outputs of the step before.

    ``weights_NN`` hold a matrix for each input.
    """
    plan = _plan_of(neurons, inputs_TBN[0].shape, keep, None)
    inputs, count = tuple(each.reshape(-1) for each in inputs_TBN), inputs_TBN[0].shape[2]
    width = plan.work.vectors * LANES
    rows = tuple(np.zeros((count, width), np.float32) for _ in weights_NN)
    for row, weight_NN in zip(rows, weights_NN, strict=True):
        row[:, :count] = weight_NN.T
    feedback = FeedbackMemory(
        tuple(row.reshape(-1) for row in rows),
        allocate_per_thread(plan.work.threads, width, np.float32).reshape(-1),
        allocate_per_thread(plan.work.threads, width, np.int32).reshape(-1),
    )
    start = plan.kernels.forward_with_feedback
    return _run(plan, start, (inputs, feedback), neurons, out, states)


def forward_by_events(
    events: Events, weight_OI: np.ndarray, neurons: LayerNeurons, out: OutputMemory, keep: bool
) -> ForwardResult:
    """Fills ``out``, computed from events and quantised weights, as ``forward_from_current``."""
    plan = _plan_of(neurons, (events.steps, events.batch, len(weight_OI)), keep, 1)
    source = events, integer_vectors(weight_OI), integer_sums(neurons.unit_bits)
    return _run(plan, plan.kernels.forward_by_events, source, neurons, out, _FROM_ZERO)


def _plan_of(neurons: LayerNeurons, shape: Shape, keep: bool, max_tile: int | None) -> ForwardPlan:
    program, threads = neurons.program, current_call.threads
    return _plan(program, neurons.unit_bits, neurons.delay, shape, threads, keep, max_tile)


def _run(
    plan: ForwardPlan,
    start: Callable[..., None],
    source: tuple[Any, ...],
    neurons: LayerNeurons,
    out: OutputMemory,
    states: StateMemory,
) -> ForwardResult:
    stored = allocate((plan.stored,), np.int32)
    scratch = allocate_per_thread(plan.work.threads, plan.scratch, np.int32)
    scratch.fill(0)
    activity = ForwardActivity(
        *out, stored, plan.stored_steps, int(plan.stored_steps == plan.work.steps),
        states.initial.reshape(-1), states.final.reshape(-1), scratch.reshape(-1),
    )  # fmt: skip
    start(*source, neurons.parameters, activity, plan.work, np.zeros(1, np.int64))
    vectors = scratch.reshape(len(scratch), -1, LANES)
    extents = np.maximum.reduce(vectors[:, : len(neurons.program.states)], axis=(0, 2))
    nonzero = int(np.add.reduce(vectors[:, plan.kernels.EXTENTS, 0]))
    return ForwardResult(extents, nonzero, stored)
