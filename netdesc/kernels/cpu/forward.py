"""CUBA forward dynamics for Numba: a thread takes a vector of neurons and walks all steps with it.

There is no barrier in the time loop, states stay in registers, and no result depends on the number
of threads. Arrays are flat: time-first [steps, batch, neurons]. ``keep`` is 4096 − decay.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.arrivals import arriving
from netdesc.kernels.cpu.lanes import LANES, load, spread, store, where
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.steps import decay_state, from_state, saturate, to_state
from netdesc.kernels.cpu.there import SEEN, walk_there
from netdesc.kernels.cpu.weights import together_of
from netdesc.kernels.cpu.words import word_of


@numba.njit(inline="always")
def by_events(given, t):
    """The weights of a step's events are what arrives."""
    events, b, weight_IN, n, together = given
    return arriving(events, t, b, weight_IN, n, together)


@numba.njit(inline="always")
def as_it_arrives(given, t):
    """What arrives is there already, in threshold units; step 0 ``at``, the next ``by`` further."""
    z, at, by, n = given
    return to_state(load(z, at + t * by, n))


@numba.njit(inline="always")
def _hand_on(to, t, spiked):
    """Write the spikes that a vector hands out in a step, as a word, as floats or not at all."""
    words, of_words, out, of_out, by, n = to
    if len(words):
        words[of_words + t] = word_of(spiked)
    elif len(out):
        spikes = where(spiked, spread(np.float32(1)), spread(np.float32(0)))
        store(out, of_out + t * by, spikes, n)


_walk_by_events = walk_there(by_events, _hand_on, again=True)
_walk_from_input = walk_there(as_it_arrives, _hand_on, again=False)


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
    is_shared,
    seen,
):
    """Integer currents from ``events`` and weights (see ``weights``), then u, v and spikes.

    ``low`` is half the least weight there can be. Writes the spikes, ``delay`` steps late, as
    ``words`` (see ``trains``) or as floats to ``out``, if one of them has any room; ``voltage``
    (int32, before the reset), whose places are ``of_voltage``, and ``seen`` [items, ``SEEN``].
    ``is_shared`` says that all threads have read the memory of ``voltage`` in the pass before.
    """
    steps, batch, neurons = events.steps, events.batch, len(keep_u)
    vectors, together = (neurons + LANES - 1) // LANES, together_of(low)
    for item in numba.prange(batch * vectors):
        b, vector = item // vectors, item % vectors
        lo, size = vector * LANES, batch * neurons
        n, at = min(LANES, neurons - lo), b * neurons + lo
        _walk_by_events(
            (events, b, weight_VIN[vector], n, together), (words, item * steps, out, at, size, n),
            lo, n, steps, keep_u, keep_v, bias, threshold, delay, voltage,
            row_of(of_voltage, 0, b) * neurons + lo, of_voltage[1] * neurons, n, is_shared,
            seen, item * SEEN,
        )  # fmt: skip


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
        n, at, size = min(LANES, neurons - lo), b * neurons + lo, batch * neurons
        _walk_from_input(
            (z_TBN, at, size, n), (words, item * steps, out, at, size, n), lo, n, steps, keep_u,
            keep_v, bias, threshold, delay, voltage, at, size, n, False, seen, item * SEEN,
        )  # fmt: skip


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
def sum_up(seen, path, notes, squares):
    """``notes`` (see ``kernels.operators``) of what all vectors' walks have seen.

    Returns the sum of ``squares``, which a last layer's walks may have left, too.
    """
    notes[:] = 0
    for item in range(len(seen)):
        for lane in range(LANES):
            notes[0] = max(notes[0], seen[item, lane])
            notes[1] = max(notes[1], seen[item, LANES + lane])
            notes[3] += seen[item, 2 * LANES + lane]
    notes[2] = path
    return squares.sum()
