"""The forward pass of one layer of neurons, from a synaptic input or from events.

This file is compiled once for each neuron: ``generated`` writes a copy of it in which the imports
from ``neuron_step`` are the functions of the neuron.

A thread takes a tile of neighbouring vectors of neurons through a run of steps, one vector after
another with its states in registers, then through the next run. So it reads and writes pieces of
rows that are as wide as the tile. Between runs, states are in scratch memory. No thread waits for
another, and no result depends on the number of threads.

States are rarely so large that their products exceed 32 bits. So a run is computed by
``step_near``, and again by ``step_far`` if a state was large.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount, on_threads_of
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast, count_bits, lowest_bit, to_bitmask
from netdesc.kernels.cpu.runtime.simd_memory import element, first_lanes, load, store
from netdesc.kernels.cpu.runtime.simd_tuple import (
    add_product,
    largest_magnitude,
    load_each,
    load_tuple,
    maximum_where,
    store_tuple,
    zero_tuple,
    zeros_like_each,
)
from netdesc.kernels.cpu.runtime.tiles import StepRun, item_at, next_position, place_of
from netdesc.kernels.cpu.synapses.synaptic_input import gather_integer
from netdesc.kernels.cpu.walk.neuron_step import (
    EXTENTS,
    NEAR_LIMIT,
    STATES,
    STORED,
    constants_of,
    step_far,
    step_near,
    to_states,
    to_values,
)

CARRIED = STATES + 1
"""Number of vectors that a step hands to the next: the states and ``fired``."""

SLOTS = CARRIED + 1
"""Number of vectors that are kept between runs: the states, ``fired``, and the last output."""


class Scratch(NamedTuple):
    """A thread's memory between runs, and where its counts and a vector's states begin in it."""

    memory: np.ndarray
    counts: int
    """``EXTENTS`` vectors, the largest extents so far, then the number of outputs not 0."""
    states: int
    """``SLOTS`` vectors."""


@numba.njit(inline="always")
def _arrive_from_current(source, place, t):
    inputs, shape = source
    at = (t * shape.batch + place.sample) * shape.neurons + place.first
    return to_states(load_each(inputs, at, place.size))


@numba.njit(inline="always")
def _arrive_by_events(source, place, t):
    events, weight_VIN, sums = source
    row = t * events.batch + place.sample
    return (gather_integer(events, row, weight_VIN[place.vector], place.size, sums),)


class Outputs(NamedTuple):
    """Where the outputs of the step before stand.

    ``FeedbackMemory.sources[first:last]`` are the neurons whose output is not 0. All outputs are
    floats [vectors · LANES] in ``FeedbackMemory.numbers[first:]``.
    """

    first: int
    last: int


@numba.njit(inline="always")
def _arrive_with_feedback(source, place, t):
    inputs, feedback, outputs, shape = source
    given = load_each(
        inputs, (t * shape.batch + place.sample) * shape.neurons + place.first, place.size
    )
    sums = zeros_like_each(given)
    for event in range(outputs.first, outputs.last):
        neuron = np.int64(element(feedback.sources, event))
        row = neuron * shape.vectors * LANES + place.first
        value = element(feedback.numbers, outputs.first + neuron)
        sums = add_product(sums, load_each(feedback.weights, row, LANES), broadcast(value))
    return to_states(add_product(given, sums, broadcast(np.float32(1))))


@numba.njit(inline="always")
def _lane_bits(place):
    return (1 << place.size) - 1


@numba.njit(inline="always")
def _emit(activity, shape, place, t, output, lane_bits):
    """Writes the output of a step, as a bitmask or as floats. Returns how many are not 0."""
    nonzero = to_bitmask(output != broadcast(np.int32(0))) & lane_bits
    if len(activity.bitmasks):
        item = place.sample * shape.vectors + place.vector
        activity.bitmasks[np.uint64(item * shape.steps + t)] = nonzero
    else:
        at = (t * shape.batch + place.sample) * shape.neurons + place.first
        store(activity.values, at, to_values(output), place.size)
    return count_bits(nonzero)


def _loop_of(step: Any, arrive: Any) -> Any:
    @jit_no_refcount
    def loop(source, constants, activity, shape, place, run, states):
        """Returns states, the last output, extents, and the count of outputs that are not 0."""
        extents, count, output = zero_tuple(EXTENTS), 0, broadcast(np.int32(0))
        lane_bits = _lane_bits(place)
        item = place.sample * shape.vectors + place.vector
        for t in range(run.first, run.last):
            arrived = arrive(source, place, t)
            states, output, stored, extents = step(constants, arrived, states, extents)
            row = (item * activity.stored_steps + t * activity.by_step) * (STORED * LANES)
            store_tuple(activity.stored, row, stored)
            if t + shape.delay < shape.steps:
                count += _emit(activity, shape, place, t + shape.delay, output, lane_bits)
        return states, output, extents, count

    return loop


def _run_of(arrive: Any) -> Any:
    near_loop, far_loop = _loop_of(step_near, arrive), _loop_of(step_far, arrive)

    @jit_no_refcount
    def walk_run(source, parameters, activity, shape, place, run, scratch):
        constants = constants_of(parameters, place.first, place.size)
        near, output, count = broadcast(np.int32(NEAR_LIMIT)), broadcast(np.int32(0)), 0
        begin = load_tuple(scratch.memory, scratch.states, CARRIED)
        states, extents = begin, zero_tuple(EXTENTS)
        is_near = to_bitmask(largest_magnitude(begin) > near) == 0
        if is_near:
            states, output, extents, count = near_loop(
                source, constants, activity, shape, place, run, begin
            )
            is_near = to_bitmask(largest_magnitude(extents) > near) == 0
        if not is_near:
            states, output, extents, count = far_loop(
                source, constants, activity, shape, place, run, begin
            )
        store_tuple(scratch.memory, scratch.states, states)
        store(scratch.memory, scratch.states + CARRIED * LANES, output, LANES)
        noted = load_tuple(scratch.memory, scratch.counts, EXTENTS)
        store_tuple(
            scratch.memory, scratch.counts, maximum_where(first_lanes(place.size), noted, extents)
        )
        scratch.memory[np.uint64(scratch.counts + EXTENTS * LANES)] += count

    return walk_run


@jit_no_refcount
def _begin(activity, shape, place, scratch):
    """Loads a vector's states, which are 0 without ``initial``, and emits the pending output."""
    for slot in range(SLOTS):
        value = broadcast(np.int32(0))
        if len(activity.initial):
            at = (slot * shape.batch + place.sample) * shape.neurons + place.first
            value = load(activity.initial, at, place.size)
        store(scratch.memory, scratch.states + slot * LANES, value, LANES)
    if shape.delay:
        output = load(scratch.memory, scratch.states + (SLOTS - 1) * LANES, LANES)
        count = _emit(activity, shape, place, 0, output, _lane_bits(place))
        scratch.memory[np.uint64(scratch.counts + EXTENTS * LANES)] += count


@jit_no_refcount
def _end(activity, shape, place, scratch):
    if len(activity.final):
        for slot in range(SLOTS):
            value = load(scratch.memory, scratch.states + slot * LANES, LANES)
            at = (slot * shape.batch + place.sample) * shape.neurons + place.first
            store(activity.final, at, value, place.size)


@numba.njit(inline="always")
def _same_source(source, shape, memory, states, thread):
    return source


def _tiles_of(arrive: Any, source_of_run: Any = _same_source) -> Any:
    """``source_of_run`` returns what ``arrive`` reads in a run of a tile."""
    walk_run = _run_of(arrive)

    @jit_no_refcount
    def walk_tiles(source, parameters, activity, shape, queue, thread):
        memory = activity.scratch
        counts = thread * (EXTENTS + 1 + shape.tile * SLOTS) * LANES
        tiles = (shape.vectors + shape.tile - 1) // shape.tile
        while True:
            position = next_position(queue)
            if position >= shape.batch * tiles:
                break
            item = item_at(position, shape.batch * tiles, shape.threads)
            sample, first = item // tiles, item % tiles * shape.tile
            last = min(shape.vectors, first + shape.tile)
            states = counts + (EXTENTS + 1) * LANES
            for vector in range(first, last):
                scratch = Scratch(memory, counts, states + (vector - first) * SLOTS * LANES)
                _begin(activity, shape, place_of(shape, sample, vector), scratch)
            for step in range(0, shape.steps, shape.run):
                run = StepRun(step, min(shape.steps, step + shape.run))
                run_source = source_of_run(source, shape, memory, states, thread)
                for vector in range(first, last):
                    scratch = Scratch(memory, counts, states + (vector - first) * SLOTS * LANES)
                    place = place_of(shape, sample, vector)
                    walk_run(run_source, parameters, activity, shape, place, run, scratch)
            for vector in range(first, last):
                scratch = Scratch(memory, counts, states + (vector - first) * SLOTS * LANES)
                _end(activity, shape, place_of(shape, sample, vector), scratch)

    return walk_tiles


@jit_no_refcount
def _list_outputs(source, shape, memory, states, thread):
    """Lists a sample's last outputs; returns the source of ``_arrive_with_feedback``."""
    inputs, feedback = source
    first = thread * shape.vectors * LANES  # a thread's rows of both arrays begin at this index
    last = first
    for vector in range(shape.vectors):
        output = load(memory, states + (vector * SLOTS + CARRIED) * LANES, LANES)
        store(feedback.numbers, first + vector * LANES, to_values(output), LANES)
        bits = np.int64(to_bitmask(output != broadcast(np.int32(0))))
        bits &= _lane_bits(place_of(shape, 0, vector))
        while bits != 0:
            feedback.sources[np.uint64(last)] = np.int32(vector * LANES + lowest_bit(bits))
            last += 1
            bits &= bits - 1
    return inputs, feedback, Outputs(first, last), shape


_walk_with_feedback = on_threads_of(_tiles_of(_arrive_with_feedback, _list_outputs))
_walk_from_current = on_threads_of(_tiles_of(_arrive_from_current))
_walk_by_events = on_threads_of(_tiles_of(_arrive_by_events))


@neuron_kernel
def forward_from_current(inputs, parameters, activity, shape, queue):
    """Fills ``activity`` from the inputs, a tuple of flat arrays [steps, batch, neurons].

    ``queue`` is the work queue, a zero.
    """
    source = inputs, shape
    _walk_from_current(shape.threads, (source, parameters, activity, shape, queue))


@neuron_kernel
def forward_by_events(events, weight_VIN, sums, parameters, activity, shape, queue):
    """Fills ``activity`` from events and integer weights; ``sums`` are ``IntegerSums``."""
    source = events, weight_VIN, sums
    _walk_by_events(shape.threads, (source, parameters, activity, shape, queue))


@neuron_kernel
def forward_with_feedback(inputs, feedback, parameters, activity, shape, queue):
    """Fills ``activity`` from the inputs and from the neurons' own outputs of the step before.

    ``feedback`` is a ``FeedbackMemory``, the others are those of ``forward_from_current``.
    """
    source = inputs, feedback
    _walk_with_feedback(shape.threads, (source, parameters, activity, shape, queue))
