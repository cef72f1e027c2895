"""A vector of neurons through all steps, for Numba: what every kernel's way forward has in common.

States seldom come near where 32 bits end. Where they are small, to let them decay takes half as
many instructions, and nothing saturates. So a walk takes it for granted that they are, looks after
every run of steps, and walks a run again where they were not.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import (
    AHEAD,
    LANES,
    as_ints,
    load,
    prefetch_to_write,
    spread,
    store,
    where,
)
from netdesc.kernels.cpu.steps import (
    NEAR,
    after_reset,
    decay_near,
    decay_state,
    magnitude,
    saturate,
)
from netdesc.kernels.cpu.words import word_of

SEEN = 3 * LANES
"""What a vector's walk notes, by lane: largest |u|, largest |v|, spikes handed out."""

RUN = 64
"""Steps: few, so that little is walked again, and many, so that to look costs nothing."""


@numba.njit(inline="always")
def _advance(z, keep_u, keep_v, bias, u, held, is_near, forgets):
    """Current and voltage after a step in which ``z`` arrives, all in state units.

    ``is_near`` promises that u and ``held`` are within ``NEAR``; one that ``forgets`` keeps no u.
    """
    if is_near:
        u = z if forgets else decay_near(u, keep_u) + z
        return u, decay_near(held, keep_v) + u + bias
    u = saturate(decay_state(u, keep_u) + z)
    return u, saturate(decay_state(held, keep_v) + u + bias)


@numba.njit(inline="always")
def _larger(peak, size):
    return where(size > peak, size, peak)


@numba.njit(inline="always")
def _any(bits):
    return word_of(bits) != 0


def walk_there(arrive: Any, hand_on: Any, again: bool) -> Any:
    """A walk through all steps with a vector of neurons, for kernels to call.

    ``arrive(given, t)`` says what arrives in a step, in state units; ``hand_on(to, t, spiked)``
    takes the spikes of a step. Both are functions of Numba's, ``given`` and ``to`` whatever they
    need. ``again`` says that what arrives can be asked for twice, the voltages being elsewhere.

    What is returned takes these two first. Then come the ``n`` neurons from ``lo`` on: their spikes
    are handed on ``delay`` steps late, and ``width`` numbers of each step's voltages, before the
    reset, are stored, step 0 ``at``, the next steps ``by`` further on each time. ``is_shared`` says
    that all threads have read that memory lately. ``seen`` gets ``SEEN`` numbers from ``of_seen``
    on.
    """

    @inner
    def walk(
        given, to, lo, n, steps, keep_u, keep_v, bias, threshold, delay, voltage, at, by, width,
        is_shared, seen, of_seen,
    ):  # fmt: skip
        ku, kv, offset = load(keep_u, lo, n), load(keep_v, lo, n), load(bias, lo, n)
        none, near = spread(np.int32(0)), spread(np.int32(NEAR))
        u, held, peak_u, peak_v, spikes = none, none, none, none, none
        forgets = not _any(ku != none)
        for t in range(min(steps, delay)):
            hand_on(to, t, none > none)
        first, is_near = 0, again
        while first < steps:
            before_u, before_held, before_spikes = u, held, spikes
            run_u, run_v = none, none
            last = min(steps, first + RUN)
            for t in range(first, last):
                u, v = _advance(arrive(given, t), ku, kv, offset, u, held, is_near, forgets)
                held = after_reset(v, threshold)
                run_u, run_v = _larger(run_u, magnitude(u)), _larger(run_v, magnitude(v))
                if is_shared:
                    prefetch_to_write(voltage, at + (t + AHEAD) * by)
                store(voltage, at + t * by, v, width)
                if t + delay < steps:
                    spiked = v > spread(threshold)
                    hand_on(to, t + delay, spiked)
                    spikes = spikes + as_ints(spiked)
            went_far = _any((run_u > near) | (run_v > near))
            if went_far and is_near:
                is_near = False
                u, held, spikes = before_u, before_held, before_spikes
                continue
            peak_u, peak_v = _larger(peak_u, run_u), _larger(peak_v, run_v)
            first, is_near = last, again and not went_far
        store(seen, of_seen, peak_u, LANES)
        store(seen, of_seen + LANES, peak_v, LANES)
        store(seen, of_seen + 2 * LANES, spikes, LANES)

    return walk
