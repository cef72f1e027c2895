"""The forward time loop: a vector of neurons through all steps, for Numba.

States are seldom so large that their products leave 32 bits. Where they are small, a decay takes
half as many instructions and nothing saturates. So the loop assumes small states, checks after each
run of steps, and repeats the run with the general step where the assumption failed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.bitmask import word_of
from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES, as_ints, spread, where
from netdesc.kernels.cpu.runtime.simd_memory import store
from netdesc.kernels.cpu.runtime.state_arithmetic import MAX_NEAR_STATE, magnitude, reset_voltage
from netdesc.kernels.cpu.walk.cuba_step import cuba_step, step_constants

NOTES_PER_VECTOR = 3 * LANES
"""Numbers that a loop notes of a vector: for each lane largest |u|, largest |v|, and spikes."""

_RUN_STEPS = 64
"""Steps between two checks, so that neither checks nor a repeated run cost much."""


class Span(NamedTuple):
    """What a loop goes through: ``size`` neurons of a layer from ``first`` on, and all steps."""

    first: int
    size: int
    steps: int


@numba.njit(inline="always")
def _larger(peak, size):
    return where(size > peak, size, peak)


@numba.njit(inline="always")
def _any(bits):
    return word_of(bits) != 0


def forward_loop_of(synaptic_input: Any, emit_spikes: Any, can_repeat: bool) -> Any:
    """Returns the loop ``(source, sink, neurons, span, voltage, vector_notes, at)`` for kernels.

    ``synaptic_input(source, t)`` returns what arrives in step t, in state units.
    ``emit_spikes(sink, t, spikes)`` receives the spikes that are handed on in step t. Both are
    compiled by Numba. ``can_repeat`` says whether a run may be computed twice; otherwise every step
    is the general one.

    The loop writes voltages before the reset to ``voltage``, a ``Strided``, and
    ``NOTES_PER_VECTOR`` numbers to ``vector_notes`` from ``at`` on.
    """

    @jit_no_refcount
    def forward_loop(source, sink, neurons, span, voltage, vector_notes, at):
        constants = step_constants(neurons, span.first, span.size)
        none, near = spread(np.int32(0)), spread(np.int32(MAX_NEAR_STATE))
        threshold, delay, steps = neurons.threshold, neurons.delay, span.steps
        u, reset_v, peak_u, peak_v, spikes = none, none, none, none, none
        for t in range(min(steps, delay)):
            emit_spikes(sink, t, none > none)
        first, is_near = 0, can_repeat
        while first < steps:
            before_u, before_reset_v, before_spikes = u, reset_v, spikes
            run_u, run_v = none, none
            last = min(steps, first + _RUN_STEPS)
            for t in range(first, last):
                u, v = cuba_step(constants, synaptic_input(source, t), u, reset_v, is_near)
                reset_v = reset_voltage(v, threshold)
                run_u, run_v = _larger(run_u, magnitude(u)), _larger(run_v, magnitude(v))
                store(voltage.numbers, voltage.start + t * voltage.stride, v, voltage.size)
                if t + delay < steps:
                    spiked = v > spread(threshold)
                    emit_spikes(sink, t + delay, spiked)
                    spikes = spikes + as_ints(spiked)
            went_far = _any((run_u > near) | (run_v > near))
            if went_far and is_near:
                is_near = False
                u, reset_v, spikes = before_u, before_reset_v, before_spikes
                continue
            peak_u, peak_v = _larger(peak_u, run_u), _larger(peak_v, run_v)
            first, is_near = last, can_repeat and not went_far
        store(vector_notes, at, peak_u, LANES)
        store(vector_notes, at + LANES, peak_v, LANES)
        store(vector_notes, at + 2 * LANES, spikes, LANES)

    return forward_loop
