"""The forward pass of one layer of neurons: arguments for the generated kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netdesc.kernels.cpu.runtime.memory_pool import allocate, allocate_per_thread
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import set_thread_count
from netdesc.kernels.cpu.runtime.tiles import MAX_TILE, FeedbackMemory, layer_shape
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.packed_spikes import Shape, packed_items
from netdesc.kernels.cpu.synapses.weights import integer_sums, integer_vectors
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.neurons.program import Program

_NO_BITMASKS, _NO_VALUES = np.empty(0, np.int32), np.empty(0, np.float32)
_NO_STATES = np.empty(0, np.int32)


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


class OutputMemory(NamedTuple):
    """Memory for a layer's output: bitmasks or floats. The array that is not used is empty."""

    bitmasks: np.ndarray = _NO_BITMASKS
    values: np.ndarray = _NO_VALUES


def float_output(shape: Shape) -> OutputMemory:
    """Allocates memory for floats [steps, batch, neurons]."""
    return OutputMemory(values=allocate(shape, np.float32).reshape(-1))


class ForwardResult(NamedTuple):
    """Statistics and saved values of a forward pass."""

    extents: np.ndarray
    """Largest magnitude of each state before its reset, int64 [states]."""
    nonzero: int
    """Number of outputs that are not 0."""
    stored: np.ndarray


class StateMemory(NamedTuple):
    """States before the first and after the last step, int32 [states + 2, batch, neurons].

    If they are empty, states begin at 0, or are not needed after the last step.
    """

    initial: np.ndarray = _NO_STATES
    final: np.ndarray = _NO_STATES


_FROM_ZERO = StateMemory()


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
    memory = _ForwardMemory(neurons, inputs_TBN[0].shape, out, keep, states, MAX_TILE)
    inputs = tuple(each.reshape(-1) for each in inputs_TBN)
    memory.kernels.forward_from_current(inputs, *memory.arguments)
    return memory.result()


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
    memory = _ForwardMemory(neurons, inputs_TBN[0].shape, out, keep, states, None)
    inputs, count = tuple(each.reshape(-1) for each in inputs_TBN), inputs_TBN[0].shape[2]
    width = -(-count // LANES) * LANES
    rows = tuple(np.zeros((count, width), np.float32) for _ in weights_NN)
    for each, weight_NN in zip(rows, weights_NN, strict=True):
        each[:, :count] = weight_NN.T
    threads = set_thread_count()
    feedback = FeedbackMemory(
        tuple(each.reshape(-1) for each in rows),
        allocate_per_thread(threads, width, np.float32).reshape(-1),
        allocate_per_thread(threads, width, np.int32).reshape(-1),
    )
    memory.kernels.forward_with_feedback(inputs, feedback, *memory.arguments)
    return memory.result()


def forward_by_events(
    events: Events, weight_OI: np.ndarray, neurons: LayerNeurons, out: OutputMemory, keep: bool
) -> ForwardResult:
    """Fills ``out``, computed from events and quantised weights, as ``forward_from_current``."""
    shape = events.steps, events.batch, len(weight_OI)
    memory = _ForwardMemory(neurons, shape, out, keep, _FROM_ZERO, 1)
    weight_VIN, sums = integer_vectors(weight_OI), integer_sums(neurons.unit_bits)
    memory.kernels.forward_by_events(events, weight_VIN, sums, *memory.arguments)
    return memory.result()


class _ForwardMemory:
    def __init__(
        self,
        neurons: LayerNeurons,
        shape: Shape,
        out: OutputMemory,
        keep: bool,
        states: StateMemory,
        max_tile: int | None,
    ) -> None:
        self._program = neurons.program
        self.kernels = kernels_of(neurons.program, neurons.unit_bits, "forward")
        work = layer_shape(shape, neurons.delay, set_thread_count(), max_tile)
        stored_steps = shape[0] if keep else 1
        slots = len(neurons.program.forward.stored)
        size = packed_items(shape) * LANES * stored_steps * slots
        self._stored = allocate((size,), np.int32)
        vectors = self.kernels.EXTENTS + 1 + work.tile * self.kernels.SLOTS
        self._scratch = allocate_per_thread(work.threads, vectors * LANES, np.int32)
        self._scratch[:] = 0
        activity = ForwardActivity(
            *out, self._stored, stored_steps, int(keep), states.initial.reshape(-1),
            states.final.reshape(-1), self._scratch.reshape(-1),
        )  # fmt: skip
        self.arguments = neurons.parameters, activity, work, np.zeros(1, np.int64)

    def result(self) -> ForwardResult:
        vectors = self._scratch.reshape(len(self._scratch), -1, LANES)
        extents = vectors[:, : len(self._program.states)].max(axis=(0, 2))
        nonzero = int(vectors[:, self.kernels.EXTENTS, 0].sum())
        return ForwardResult(extents.astype(np.int64), nonzero, self._stored)
