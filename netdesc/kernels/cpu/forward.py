"""CUBA forward dynamics for Numba: a thread takes a vector of neurons and walks all steps with it.

There is no barrier in the time loop, states stay in registers, and no result depends on the number
of threads. Arrays are flat: time-first [steps, batch, neurons]. ``keep`` is 4096 − decay.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.arrivals import arriving
from netdesc.kernels.cpu.lanes import LANES, as_ints, load, spread, store, where
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.steps import (
    after_reset,
    decay_state,
    from_state,
    magnitude,
    saturate,
    to_state,
)
from netdesc.kernels.cpu.weights import together_of
from netdesc.kernels.cpu.words import word_of

SEEN = 3 * LANES
"""What a vector's walk notes, by lane: largest |u|, largest |v|, spikes handed out."""


@numba.njit(inline="always")
def advance(z, keep_u, keep_v, bias, u, held):
    """Current and voltage after a step in which ``z`` arrives, all in state units."""
    u = saturate(decay_state(u, keep_u) + z)
    return u, saturate(decay_state(held, keep_v) + u + bias)


@numba.njit(inline="always")
def larger(peak, state):
    size = magnitude(state)
    return where(size > peak, size, peak)


@numba.njit(inline="always")
def _hand_on(spiked, out, words, item, step, steps, b, batch, neurons, lo, n):
    """Write the spikes that a vector hands out in a step, as a word, as floats or not at all."""
    if len(words):
        words[item * steps + step] = word_of(spiked)
    elif len(out):
        spikes = where(spiked, spread(np.float32(1)), spread(np.float32(0)))
        store(out, (step * batch + b) * neurons + lo, spikes, n)


@numba.njit(inline="always")
def note(seen, at, peak_u, peak_v, spikes):
    store(seen, at, peak_u, LANES)
    store(seen, at + LANES, peak_v, LANES)
    store(seen, at + 2 * LANES, spikes, LANES)


@numba.njit(parallel=True, cache=True, nogil=True)
def forward_by_events(
    events,
    weight_VIN,
    low,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    out,
    words,
    voltage,
    of_voltage,
    seen,
):
    """Integer currents from ``events`` and weights (see ``weights``), then u, v and spikes.

    ``low`` is half the least weight there can be. Writes the spikes, ``delay`` steps late, as
    ``words`` (see ``trains``) or as floats to ``out``, if one of them has any room; ``voltage``
    (int32, before the reset), whose places are ``of_voltage``, and ``seen`` [items, ``SEEN``].
    """
    steps, batch, neurons = events.steps, events.batch, len(keep_u)
    vectors, together = (neurons + LANES - 1) // LANES, together_of(low)
    for item in numba.prange(batch * vectors):
        b, vector = item // vectors, item % vectors
        lo, weight_IN = vector * LANES, weight_VIN[vector]
        n = min(LANES, neurons - lo)
        ku, kv, offset = load(keep_u, lo, n), load(keep_v, lo, n), load(bias, lo, n)
        none = spread(np.int32(0))
        u, held, peak_u, peak_v, spikes = none, none, none, none, none
        for step in range(min(steps, delay)):
            _hand_on(none > none, out, words, item, step, steps, b, batch, neurons, lo, n)
        for step in range(steps):
            z = arriving(events, step, b, weight_IN, n, together)
            u, v = advance(z, ku, kv, offset, u, held)
            held = after_reset(v, threshold)
            peak_u, peak_v = larger(peak_u, u), larger(peak_v, v)
            store(voltage, row_of(of_voltage, step, b) * neurons + lo, v, n)
            if step + delay < steps:
                spiked = v > spread(threshold)
                _hand_on(
                    spiked, out, words, item, step + delay, steps, b, batch, neurons,
                    lo, n,
                )  # fmt: skip
                spikes = spikes + as_ints(spiked)
        note(seen, item * SEEN, peak_u, peak_v, spikes)


@numba.njit(parallel=True, cache=True, nogil=True)
def forward_from_input(
    z_TBN, keep_u, keep_v, bias, threshold, delay, batch, out, words, voltage, seen
):
    """As ``forward_by_events``, from a float input (threshold units) that is there already.

    ``voltage`` may be the memory of the input.
    """
    neurons = len(keep_u)
    rows = len(z_TBN) // neurons
    steps = rows // batch
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        ku, kv, offset = load(keep_u, lo, n), load(keep_v, lo, n), load(bias, lo, n)
        none = spread(np.int32(0))
        u, held, peak_u, peak_v, spikes = none, none, none, none, none
        for step in range(min(steps, delay)):
            _hand_on(none > none, out, words, item, step, steps, b, batch, neurons, lo, n)
        for step in range(steps):
            row = step * batch + b
            z = to_state(load(z_TBN, row * neurons + lo, n))
            u, v = advance(z, ku, kv, offset, u, held)
            held = after_reset(v, threshold)
            peak_u, peak_v = larger(peak_u, u), larger(peak_v, v)
            store(voltage, row * neurons + lo, v, n)
            if step + delay < steps:
                spiked = v > spread(threshold)
                _hand_on(
                    spiked, out, words, item, step + delay, steps, b, batch, neurons,
                    lo, n,
                )  # fmt: skip
                spikes = spikes + as_ints(spiked)
        note(seen, item * SEEN, peak_u, peak_v, spikes)


@numba.njit(parallel=True, cache=True, nogil=True)
def leaky_forward(z_TBN, keep, batch, u_TBN):
    """The current alone: ``u[t] = rtz(keep · u[t−1]) + trunc(4096 z[t])``, handed out as floats."""
    neurons = len(keep)
    rows = len(z_TBN) // neurons
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        share, u = load(keep, lo, n), spread(np.int32(0))
        for row in range(b, rows, batch):
            at = row * neurons + lo
            u = saturate(decay_state(u, share) + to_state(load(z_TBN, at, n)))
            store(u_TBN, at, from_state(u), n)


@numba.njit(cache=True, nogil=True)
def sum_up(seen, path, notes):
    """``notes`` (see ``kernels.operators``) of what all vectors' walks have seen."""
    notes[:] = 0
    for item in range(len(seen)):
        for lane in range(LANES):
            notes[0] = max(notes[0], seen[item, lane])
            notes[1] = max(notes[1], seen[item, LANES + lane])
            notes[3] += seen[item, 2 * LANES + lane]
    notes[2] = path
