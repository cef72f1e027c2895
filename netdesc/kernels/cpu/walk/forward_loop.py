"""The forward time loop of a vector of neurons over all steps, for Numba.

States are rarely so large that their products exceed 32 bits. With small states a decay takes half
as many instructions, and nothing saturates. So the loop assumes small states, and checks them after
each run of steps. If a state was large, it repeats the run with a step that is exact for all
states.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.bitmask import to_bitmask
from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES, as_ints, broadcast, where
from netdesc.kernels.cpu.runtime.simd_memory import store
from netdesc.kernels.cpu.runtime.state_arithmetic import MAX_NEAR_STATE, magnitude, reset_voltage
from netdesc.kernels.cpu.walk.cuba_step import cuba_step, step_constants

NOTES_PER_VECTOR = 3 * LANES
"""Number of statistics of a vector: largest |u|, largest |v| and number of spikes of each lane."""

_RUN_STEPS = 64
"""Number of steps between two checks. Repeating so few steps is cheap, and checks are rare."""


class Span(NamedTuple):
    """The work of a loop: ``size`` neurons of a layer, from ``first`` on, over ``steps`` steps."""

    first: int
    size: int
    steps: int


@numba.njit(inline="always")
def _maximum(a, b):
    return where(b > a, b, a)


@numba.njit(inline="always")
def _any(bits):
    return to_bitmask(bits) != 0


def forward_loop_of(synaptic_input: Any, emit_spikes: Any, can_repeat: bool) -> Any:
    """Builds a time loop for kernels from two functions that Numba compiles.

    The loop's parameters are ``(source, sink, neurons, span, voltage, vector_notes, at)``.
    ``synaptic_input(source, t)`` returns the synaptic input of step t in state units.
    ``emit_spikes(sink, t, spikes)`` receives the output of step t. If ``can_repeat`` is False, the
    loop computes each run only once, with steps that are exact for states of any size.

    The loop writes voltages before the reset to ``voltage``, a ``Strided``. It writes the vector's
    statistics, ``NOTES_PER_VECTOR`` numbers, to ``vector_notes`` from ``at`` on.
    """

    @jit_no_refcount
    def forward_loop(source, sink, neurons, span, voltage, vector_notes, at):
        constants = step_constants(neurons, span.first, span.size)
        zero, near = broadcast(np.int32(0)), broadcast(np.int32(MAX_NEAR_STATE))
        threshold, delay, steps = neurons.threshold, neurons.delay, span.steps
        u, reset_v, peak_u, peak_v, spikes = zero, zero, zero, zero, zero
        for t in range(min(steps, delay)):
            emit_spikes(sink, t, zero > zero)
        first, is_near = 0, can_repeat
        while first < steps:
            saved_u, saved_reset_v, saved_spikes = u, reset_v, spikes
            run_u, run_v = zero, zero
            last = min(steps, first + _RUN_STEPS)
            for t in range(first, last):
                u, v = cuba_step(constants, synaptic_input(source, t), u, reset_v, is_near)
                reset_v = reset_voltage(v, threshold)
                run_u, run_v = _maximum(run_u, magnitude(u)), _maximum(run_v, magnitude(v))
                store(voltage.numbers, voltage.start + t * voltage.stride, v, voltage.size)
                if t + delay < steps:
                    spiked = v > broadcast(threshold)
                    emit_spikes(sink, t + delay, spiked)
                    spikes = spikes + as_ints(spiked)
            is_large = _any((run_u > near) | (run_v > near))
            if is_large and is_near:
                is_near = False
                u, reset_v, spikes = saved_u, saved_reset_v, saved_spikes
                continue
            peak_u, peak_v = _maximum(peak_u, run_u), _maximum(peak_v, run_v)
            first, is_near = last, can_repeat and not is_large
        store(vector_notes, at, peak_u, LANES)
        store(vector_notes, at + LANES, peak_v, LANES)
        store(vector_notes, at + 2 * LANES, spikes, LANES)

    return forward_loop
