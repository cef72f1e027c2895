"""Adjoints of the CUBA dynamics for Numba: one pass backward in time for each vector of neurons.

Fast maths is allowed here: these are float gradients, the integer grid is only read. Their order of
additions is fixed by the vector's own loop, so no result depends on the number of threads. NaN and
infinities pass through, so that training notices them. Arrays are flat, and time-first unless their
``places`` say otherwise (see ``places``).
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.by_source import add_up_run, add_up_step
from netdesc.kernels.cpu.constants import Shares
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import AHEAD, LANES, as_floats, load, prefetch, spread, store
from netdesc.kernels.cpu.places import row_of
from netdesc.kernels.cpu.steps import after_reset, decay_state, flush, from_state, surrogate
from netdesc.kernels.cpu.turns import next_turn, piece_of
from netdesc.kernels.cpu.weight_sums import turn_over
from netdesc.kernels.grid import DECAY_ONE

NOTHING, ADJOINT, DRIVE = 0, 1, 2
"""What a walk back leaves of each step, as its ``leaves`` says: the adjoint of u, or its drive.

Where neurons decay alike, the weights may carry either back (see ``carried``).
"""


def left_by_events(shares: Shares | None) -> int:
    """What a walk by events leaves: the drive where neurons decay alike."""
    return ADJOINT if shares is None else DRIVE


@numba.njit(inline="always")
def share(keep):
    return as_floats(keep) * spread(np.float32(1 / DECAY_ONE))


@numba.njit(inline="always")
def carry(drive, share_u, share_v, g_u, g_v):
    """The adjoints of u and v, from what drives them and from those of the step after."""
    g_v = flush(share_v * g_v + drive)
    return flush(share_u * g_u + g_v), g_v


@numba.njit(inline="always")
def step_back(g_s, v, share_u, share_v, threshold, height, width, g_u, g_v):
    """What drives the adjoints of u and v, the gradient of the spikes, and then these."""
    drive = surrogate(v, threshold, height, width) * g_s
    return drive, *carry(drive, share_u, share_v, g_u, g_v)


@numba.njit(inline="always")
def decay_gradients(
    v, voltage, before, is_first, keep_v, bias, threshold, neurons, lo, n, g_u, g_v, sums
):
    """Subtract ``g_u[t+1] · u[t]`` and ``g_v[t+1] · v̄[t]``; ``g_u``, ``g_v`` are those of t + 1.

    ``before`` is where the voltages a step earlier are. ``sums`` are the two gradients
    [2, neurons] of a sample; u comes from the voltages exactly.
    """
    current = v - bias
    if not is_first:
        earlier = load(voltage, before, n)
        current = current - decay_state(after_reset(earlier, threshold), keep_v)
    store(sums, lo, load(sums, lo, n) - g_u * from_state(current), n)
    held = from_state(after_reset(v, threshold))
    store(sums, neurons + lo, load(sums, neurons + lo, n) - g_v * held, n)


@numba.njit(parallel=True, cache=True, nogil=True)
def adjoint(
    grad_out,
    of_out,
    voltage,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    height,
    width,
    learn,
    batch,
    samples,
    first,
    last,
    after,
    leaves,
    grad_z,
    grad_decays,
):
    """From the gradient of the spikes to the gradient of the input, through v and u.

    The surrogate ``height · exp(−|v − θ| / width)`` (width in state units) is recomputed from the
    stored voltage; the reset is not differentiated. Steps ``first`` to before ``last`` are walked,
    the last ones first, and ``grad_z`` holds these; it may be their part of ``grad_out``, whose
    places are ``of_out``. ``after`` [3, batch, neurons] has the adjoints of u and v in the step
    after them and the gradient of its spikes, and then those of ``first``. With ``learn`` the
    gradients of the two decays are added to ``grad_decays`` [batch, 2 · neurons]. If it ``leaves``
    ``DRIVE``, that is what ``grad_z`` gets. All this for the ``samples`` from one to before
    another.
    """
    neurons = len(keep_u)
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange((samples[1] - samples[0]) * vectors):
        b, lo = samples[0] + item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        kv, offset = load(keep_v, lo, n), load(bias, lo, n)
        share_u, share_v = share(load(keep_u, lo, n)), share(kv)
        state, size = b * neurons + lo, batch * neurons
        g_u, g_v = load(after, state, n), load(after, size + state, n)
        of_later = load(after, 2 * size + state, n)
        sums = grad_decays[b]
        for t in range(last - 1, first - 1, -1):
            at, v_at = row_of(of_out, t, b) * neurons + lo, t * size + state
            v = load(voltage, v_at, n)
            if learn:
                decay_gradients(
                    v, voltage, v_at - size, t == 0, kv, offset, threshold, neurons, lo, n, g_u,
                    g_v, sums,
                )  # fmt: skip
            prefetch(voltage, v_at - AHEAD * size)
            prefetch(grad_out, at - AHEAD * of_out[1] * neurons)
            of_spikes = load(grad_out, at, n)
            g_s = of_later if delay else of_spikes
            of_later = of_spikes
            drive, g_u, g_v = step_back(
                g_s, v, share_u, share_v, threshold, height, width, g_u, g_v
            )
            left = drive if leaves == DRIVE else g_u
            store(grad_z, (t - first) * size + state, left, n)
        store(after, state, g_u, n)
        store(after, size + state, g_v, n)
        store(after, 2 * size + state, of_later, n)


@inner
def walk_back(
    events, b, first, last, keep_u, keep_v, bias, threshold, delay, height, width, lo, n,
    grad_out, out_at, out_by, above_shares, voltage, voltage_at, voltage_by, leaves, grad_z, z_at,
    z_by, learn, grad_decays, after, state, size, by_source, run, g_run, weight_sums,
):  # fmt: skip
    """A vector of neurons and a sample, from before step ``last`` to ``first``.

    That is run number ``run``, if events are taken ``by_source``; ``g_run`` has room for it.

    Of each tensor the vector's first number in step 0 is at ``…_at``, and the next steps' are
    ``…_by`` further on each time. Its adjoints wait at ``state`` in three parts of ``after``, each
    ``size`` long. Given ``above_shares``, what comes as ``grad_out`` is yet to be carried back in
    time with these (see ``carried``), and there are two more parts.
    """
    kv, offset = load(keep_v, lo, n), load(bias, lo, n)
    share_u, share_v = share(load(keep_u, lo, n)), share(kv)
    g_u, g_v = load(after, state, n), load(after, size + state, n)
    of_later = load(after, 2 * size + state, n)
    above_u = above_v = g_above_u = g_above_v = spread(np.float32(0))
    if above_shares is not None:
        above_u, above_v = spread(above_shares[0]), spread(above_shares[1])
        g_above_u, g_above_v = load(after, 3 * size + state, n), load(after, 4 * size + state, n)
    for t in range(last - 1, first - 1, -1):
        at, v_at = out_at + t * out_by, voltage_at + t * voltage_by
        v = load(voltage, v_at, n)
        if learn:
            decay_gradients(
                v, voltage, v_at - voltage_by, t == 0, kv, offset, threshold, len(keep_u), lo, n,
                g_u, g_v, grad_decays,
            )  # fmt: skip
        prefetch(voltage, v_at - AHEAD * voltage_by)
        prefetch(grad_out, at - AHEAD * out_by)
        of_spikes = load(grad_out, at, n)
        if above_shares is not None:
            g_above_u, g_above_v = carry(of_spikes, above_u, above_v, g_above_u, g_above_v)
            of_spikes = g_above_u
        g_s = of_later if delay else of_spikes
        of_later = of_spikes
        drive, g_u, g_v = step_back(g_s, v, share_u, share_v, threshold, height, width, g_u, g_v)
        if leaves == DRIVE:
            store(grad_z, z_at + t * z_by, drive, n)
        elif leaves == ADJOINT:
            store(grad_z, z_at + t * z_by, g_u, n)
        add_up_step(by_source, events, t, first, b, g_u, g_run, weight_sums)
    if by_source.length:
        add_up_run(by_source, b, run, g_run, weight_sums)
    store(after, state, g_u, n)
    store(after, size + state, g_v, n)
    store(after, 2 * size + state, of_later, n)
    if above_shares is not None:
        store(after, 3 * size + state, g_above_u, n)
        store(after, 4 * size + state, g_above_v, n)


@numba.njit(parallel=True, cache=True, nogil=True)
def adjoint_by_events(
    events,
    weight_OI,
    low,
    high,
    grad_out,
    of_out,
    voltage,
    of_voltage,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    height,
    width,
    learn,
    samples,
    first,
    last,
    is_start,
    is_end,
    after,
    leaves,
    grad_z,
    of_z,
    grad_decays,
    by_source,
    room_KN,
    grad_VLI,
):
    """As ``adjoint``, and in the same pass the gradient of the weights, by the input's ``events``.

    A thread takes one vector of outputs after the other. Sums are added up in ``grad_VLI``
    [vectors, LANES · inputs], which ``is_start`` clears; the order of additions is that of the
    events, sample by sample, backward in time, the ``samples`` being those from one to before
    another. When ``is_end``, ``grad_VLI`` gets the gradient by rows of outputs. Only what is all
    can be taken ``by_source``. A thread has a run of these, in vectors, or what ``room_to_turn``
    says in its part of ``room_KN``. ``of_out``, ``of_voltage`` and ``of_z`` are places. ``grad_z``
    is filled with what the walk ``leaves``, and may be the memory of ``voltage``.
    """
    batch, neurons, vectors, threads = events.batch, len(keep_u), len(grad_VLI), len(room_KN)
    length = by_source.length or last - first
    turns = np.zeros(1, np.int64)
    for thread in numba.prange(threads):
        room = room_KN[thread]
        while True:
            turn = next_turn(turns)
            if turn >= vectors:
                break
            item = piece_of(turn, vectors, threads)
            lo = item * LANES
            n = min(LANES, neurons - lo)
            weight_sums = grad_VLI[item]
            if is_start:
                weight_sums[:] = 0
            for b in range(samples[0], samples[1]):
                for until in range(last, first, -length):
                    walk_back(
                        events, b, max(first, until - length), until, keep_u, keep_v, bias,
                        threshold, delay, height, width, lo, n,
                        grad_out, row_of(of_out, 0, b) * neurons + lo, of_out[1] * neurons, None,
                        voltage, row_of(of_voltage, 0, b) * neurons + lo, of_voltage[1] * neurons,
                        leaves, grad_z, row_of(of_z, 0, b) * neurons + lo, of_z[1] * neurons,
                        learn, grad_decays[b], after, b * neurons + lo, batch * neurons,
                        by_source, (last - until) // length, room, weight_sums,
                    )  # fmt: skip
            if is_end:
                turn_over(weight_sums, room, weight_OI, low, high, lo, n)


@numba.njit(parallel=True, cache=True, nogil=True)
def leaky_adjoint(grad_u, u_TBN, keep, learn, batch, first, last, grad_z, grad_decay):
    """Adjoint of ``leaky_forward`` for the neurons ``first`` to before ``last``.

    ``learn`` also sums their decay's gradient [batch, neurons], by ``u_TBN``, the current of these
    neurons alone.
    """
    neurons, some = len(keep), last - first
    rows = len(grad_u) // neurons
    vectors = (some + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, of_some = item // vectors, item % vectors * LANES
        lo, n = first + of_some, min(LANES, some - of_some)
        rate, g = share(load(keep, lo, n)), spread(np.float32(0))
        total = spread(np.float32(0))
        for row in range(rows - batch + b, -1, -batch):
            at = row * neurons + lo
            # A load is a branch: between a product and its sum it could keep them from being one.
            of_u = load(grad_u, at, n)
            if learn:
                total = total - g * load(u_TBN, row * some + of_some, n)
            g = flush(rate * g + of_u)
            store(grad_z, at, g, n)
        store(grad_decay, b * neurons + lo, total, n)
