"""What arrives at a vector of neurons by the events of a step, for Numba."""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import LANES, as_ints, spread
from netdesc.kernels.cpu.lanes_memory import element, load, store
from netdesc.kernels.cpu.steps import hold
from netdesc.kernels.grid import STATE_LIMIT, STATES_PER_WEIGHT

_LARGEST_SUM = STATE_LIMIT // STATES_PER_WEIGHT
"""A sum of integer weights of this size saturates a state."""

_MANY_EVENTS = _LARGEST_SUM >> 15
"""As many 16-bit weights cannot sum up to more than that."""

_UNIT = np.int32(STATES_PER_WEIGHT)


@numba.njit(inline="always")
def gather_real(events, row, weight_IN, count):
    """The sum of the real weights, flat [inputs, count], that a row's events bring."""
    z = spread(np.float32(0))
    for e in range(events.starts[row], events.starts[row + 1]):
        z = z + load(weight_IN, np.int64(element(events.sources, e)) * count, count)
    return z


@numba.njit(inline="always")
def gather_integer(events, row, weight_IN, count, max_adds):
    """The same of integer weights, int16, as a current in state units, held where states end.

    Up to ``max_adds`` weights are added up in 16 bits, in a third of the time.
    """
    z = spread(np.int32(0))
    first, end = events.starts[row], events.starts[row + 1]
    e = first
    while e < end:
        until, few = min(end, e + max_adds), spread(np.int16(0))
        while e < until:
            few = few + load(weight_IN, np.int64(element(events.sources, e)) * count, count)
            e += 1
        z = z + as_ints(few)
    if end - first > _MANY_EVENTS:
        z = hold(z, _LARGEST_SUM)
    return z * spread(_UNIT)


@numba.njit(inline="always")
def add_to_sources(events, row, g, sums):
    """Adds a vector's gradient to the sums [inputs · LANES] of the sources of a row's events."""
    for e in range(events.starts[row], events.starts[row + 1]):
        at = np.int64(element(events.sources, e)) * LANES
        store(sums, at, load(sums, at, LANES) + g, LANES)
