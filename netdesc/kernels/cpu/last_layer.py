"""The last layer of a chain and its van Rossum distance, there and back, for Numba.

Nothing but its input's events and what is wanted of it decides a neuron's loss and the way back to
its current. So a thread takes a vector of neurons through all steps and back, and what that needs
(voltages, spikes, states of the filter) stays in the thread's cache and is never whole. It computes
what ``forward``, ``van_rossum`` and ``backward`` do, in their order, to the bit.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu import train_distance
from netdesc.kernels.cpu.arrivals import add_up
from netdesc.kernels.cpu.backward import (
    DRIVE,
    NOTHING,
    decay_gradients,
    share,
    step_back,
)
from netdesc.kernels.cpu.by_source import add_up_run
from netdesc.kernels.cpu.forward import by_events
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import (
    AHEAD,
    LANES,
    load,
    prefetch_to_write,
    spread,
    store,
)
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.there import SEEN, walk_there
from netdesc.kernels.cpu.train_distance import (
    PIECE,
    distance,
    gradient_of_spikes,
    ready,
    rooms_of,
    whole_vectors,
)
from netdesc.kernels.cpu.turns import next_turn, piece_of
from netdesc.kernels.cpu.van_rossum import is_cut
from netdesc.kernels.cpu.weight_sums import room_for_weights, turn_over
from netdesc.kernels.cpu.weights import integers_of_vector, together_of
from netdesc.kernels.cpu.words import word_of


@numba.njit(inline="always")
def in_words(words, t, spiked):
    """Keeps the spikes of a step as a word."""
    words[t] = word_of(spiked)


_there = walk_there(by_events, in_words, again=True)


@inner
def _back(
    events, neurons, lo, n, keep_u, keep_v, bias, threshold, delay, height, width, b, words,
    wanted, of_wanted, a, tail, length, scale, y, late, keeps_all, states, filtered, ahead,
    voltage, v_at, v_by, v_width, leaves, grad_z, of_z, grad_decays, by_source, g_run, weight_sums,
):  # fmt: skip
    """From the difference to what is wanted to the gradients of current, decays and weights."""
    steps = events.steps
    has_tail = is_cut(tail) and length < steps
    run = steps if by_source is None else by_source.length
    kv, offset = load(keep_v, lo, n), load(bias, lo, n)
    share_u, share_v = share(load(keep_u, lo, n)), share(kv)
    none = spread(np.float32(0))
    g_u, g_v, after = none, none, none
    y[:] = 0
    late[:] = 0
    for until in range(steps, 0, -run):
        first = max(0, until - run)
        for last in range(until, first, -PIECE):
            start = max(first, last - PIECE)
            kept = ready(
                keeps_all, words, wanted, of_wanted, start, last, steps, a, tail, length, states,
                filtered,
            )  # fmt: skip
            for t in range(last - 1, start - 1, -1):
                of_out = gradient_of_spikes(
                    keeps_all, filtered, kept, t, steps, a, has_tail, tail, length, scale, y,
                    late, ahead,
                )  # fmt: skip
                g_s = after if delay else of_out
                after = of_out
                v = load(voltage, v_at + t * v_by, v_width)
                if grad_decays is not None:
                    decay_gradients(
                        v, voltage, v_at + (t - 1) * v_by, t == 0, kv, offset, threshold, neurons,
                        lo, n, g_u, g_v, grad_decays[b],
                    )  # fmt: skip
                drive, g_u, g_v = step_back(
                    g_s, v, share_u, share_v, threshold, height, width, g_u, g_v
                )
                if leaves != NOTHING:
                    prefetch_to_write(grad_z, row_of(of_z, t - AHEAD, b) * neurons + lo)
                    left = drive if leaves == DRIVE else g_u
                    store(grad_z, row_of(of_z, t, b) * neurons + lo, left, n)
                if by_source is None:
                    add_up(events, t, b, g_u, weight_sums)
                else:
                    store(g_run, (t - first) * LANES, g_u, LANES)
        if by_source is not None:
            add_up_run(by_source, b, (steps - until) // run, g_run, weight_sums)


def room_for(
    shape: tuple[int, int, int],
    inputs: int,
    run: int,
    of_filter: tuple[float, int, int],
    keeps_all: bool,
    hands_back: bool,
) -> int:
    """Numbers of 32 bits that a thread needs; events are by source in runs of so many steps.

    It ``keeps_all`` voltages and differences, or leaves voltages where the gradient comes that it
    ``hands_back``, and differences out.
    """
    assert run % PIECE == 0, "a run is whole pieces"
    steps, batch, _ = shape
    of_distance = train_distance.room_for(steps, of_filter, keeps_all)
    weights = room_for_weights(inputs, batch, is_integer=True)
    of_step = LANES + 1 if keeps_all or not hands_back else 1
    return whole_vectors(of_distance + of_step * steps + weights + run * LANES)


@numba.njit(parallel=True, cache=True, nogil=True)
def there_and_back(
    events,
    weight_OI,
    low,
    high,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    height,
    width,
    wanted,
    a,
    tail,
    length,
    scale,
    keeps_all,
    room_KN,
    squares,
    seen,
    leaves,
    grad_z,
    of_z,
    grad_decays,
    by_source,
    grad_VLI,
):
    """The loss of the last layer, and its gradients.

    Takes what ``forward_by_events``, ``filter_difference``, ``filter_adjoint`` and
    ``adjoint_by_events`` take; ``delay`` is 0 or 1, ``wanted`` are target spikes as words (see
    ``trains``). Fills ``squares`` [batch · neurons], ``seen``, ``grad_VLI``, and ``grad_z``, whose
    places are ``of_z``, with what it ``leaves``. ``grad_decays`` [batch, 2 · neurons] is None where
    no decay is learnt, ``by_source`` where events are taken by rows; either way has a kernel of its
    own. A thread holds one vector's spikes, what its distance needs (see ``train_distance``), what
    ``room_for_weights`` says and, by source, a run of gradients in its part of ``room_KN``
    [threads, ``room_for``]. Voltages are there, too, if it ``keeps_all`` or hands nothing back;
    else in ``grad_z`` until the gradient takes their places. Integer weights are there if there are
    several samples, else where the sums are later. Where a vector has but a few neurons, their
    numbers lie close together there, and what follows is in the lanes that nobody looks at.
    """
    steps, batch, neurons = events.steps, events.batch, len(keep_u)
    vectors, threads, of_vector = len(grad_VLI), len(room_KN), steps * LANES
    turns, in_place = np.zeros(1, np.int64), leaves != NOTHING and not keeps_all
    for thread in numba.prange(threads):
        states, filtered, ahead, room = rooms_of(room_KN[thread], steps, tail, length, keeps_all)
        voltage = grad_z.view(np.int32)
        if not in_place:
            voltage, room = room[:of_vector].view(np.int32), room[of_vector:]
        words = room[:steps].view(np.int32)
        end = len(room) if by_source is None else len(room) - by_source.length * LANES
        own, g_run = room[steps:end], room[end:]
        y, late = np.empty((2, len(tail) * LANES), tail.dtype)
        while True:
            turn = next_turn(turns)
            if turn >= vectors:
                break
            vector = piece_of(turn, vectors, threads)
            lo = vector * LANES
            n = min(LANES, neurons - lo)
            weight_sums = grad_VLI[vector]
            integer_IN = (own if batch > 1 else weight_sums).view(np.int16)
            integers_of_vector(weight_OI, low, high, lo, n, integer_IN)
            for b in range(batch):
                item, v_at, v_by, v_width = b * vectors + vector, 0, n, LANES
                if in_place:
                    v_at, v_by, v_width = row_of(of_z, 0, b) * neurons + lo, of_z[1] * neurons, n
                _there(
                    (events, b, integer_IN, n, together_of(low)), words, lo, n, steps, keep_u,
                    keep_v, bias, threshold, delay, voltage, v_at, v_by, v_width, in_place,
                    seen, item * SEEN,
                )  # fmt: skip
                distance(
                    words, wanted, item * steps, a, tail, length, steps, y, late, keeps_all, states,
                    filtered, squares, b * neurons + lo, n,
                )  # fmt: skip
                if b == 0:
                    weight_sums[:] = 0
                _back(
                    events, neurons, lo, n, keep_u, keep_v, bias, threshold, delay, height, width,
                    b, words, wanted, item * steps, a, tail, length, scale, y, late, keeps_all,
                    states, filtered, ahead, voltage, v_at, v_by, v_width, leaves, grad_z, of_z,
                    grad_decays, by_source, g_run, weight_sums,
                )  # fmt: skip
            turn_over(weight_sums, own, weight_OI, low, high, lo, n)
