"""The forward time loop: a vector of neurons through all steps, for Numba.

States are seldom so large that their products leave 32 bits. Where they are small, a decay takes
half as many instructions and nothing saturates. So the loop assumes small states, checks after each
run of steps, and repeats the run with the general step where the assumption failed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.cuba_step import cuba_step, step_constants
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import LANES, as_ints, spread, where
from netdesc.kernels.cpu.lanes_memory import store
from netdesc.kernels.cpu.steps import NEAR, after_reset, magnitude
from netdesc.kernels.cpu.words import word_of

NOTED = 3 * LANES
"""Numbers that a vector's loop notes, by lane: largest |u|, largest |v|, spikes handed on."""

_RUN_STEPS = 64
"""Steps between two checks: a repeated run costs little, and so does a check."""


class Span(NamedTuple):
    """Which neurons of a layer a loop takes, ``size`` of them from ``first`` on, and its steps."""

    first: int
    size: int
    steps: int


@numba.njit(inline="always")
def _larger(peak, size):
    return where(size > peak, size, peak)


@numba.njit(inline="always")
def _any(bits):
    return word_of(bits) != 0


def forward_loop_of(arrive: Any, emit: Any, can_repeat: bool) -> Any:
    """Returns the loop ``(source, sink, neurons, span, voltage, noted, at)`` for kernels.

    ``arrive(source, t)`` is what arrives in step t, in state units, and ``emit(sink, t, spikes)``
    takes the spikes of a step; both are Numba's functions. ``can_repeat`` says that what arrives
    can be asked for twice: it does not lie in the memory of the voltages.

    The loop writes voltages before the reset to ``voltage``, a ``Strided``, and ``NOTED`` numbers
    to ``noted`` from ``at`` on.
    """

    @inner
    def forward_loop(source, sink, neurons, span, voltage, noted, at):
        constants = step_constants(neurons, span.first, span.size)
        none, near = spread(np.int32(0)), spread(np.int32(NEAR))
        threshold, delay, steps = neurons.threshold, neurons.delay, span.steps
        u, held, peak_u, peak_v, spikes = none, none, none, none, none
        for t in range(min(steps, delay)):
            emit(sink, t, none > none)
        first, is_near = 0, can_repeat
        while first < steps:
            before_u, before_held, before_spikes = u, held, spikes
            run_u, run_v = none, none
            last = min(steps, first + _RUN_STEPS)
            for t in range(first, last):
                u, v = cuba_step(constants, arrive(source, t), u, held, is_near)
                held = after_reset(v, threshold)
                run_u, run_v = _larger(run_u, magnitude(u)), _larger(run_v, magnitude(v))
                store(voltage.numbers, voltage.start + t * voltage.stride, v, voltage.size)
                if t + delay < steps:
                    spiked = v > spread(threshold)
                    emit(sink, t + delay, spiked)
                    spikes = spikes + as_ints(spiked)
            went_far = _any((run_u > near) | (run_v > near))
            if went_far and is_near:
                is_near = False
                u, held, spikes = before_u, before_held, before_spikes
                continue
            peak_u, peak_v = _larger(peak_u, run_u), _larger(peak_v, run_v)
            first, is_near = last, can_repeat and not went_far
        store(noted, at, peak_u, LANES)
        store(noted, at + LANES, peak_v, LANES)
        store(noted, at + 2 * LANES, spikes, LANES)

    return forward_loop
