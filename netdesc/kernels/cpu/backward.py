"""Adjoints of the CUBA dynamics for Numba: one pass backward in time for each vector of neurons.

Fast maths is allowed here: these are float gradients, the integer grid is only read. Their order of
additions is fixed by the vector's own loop, so no result depends on the number of threads. NaN and
infinities pass through, so that training notices them. Arrays are flat: time-first
[steps, batch, neurons].
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.lanes import LANES, as_floats, load, prefetch, spread, store
from netdesc.kernels.cpu.steps import after_reset, decay_state, flush, from_state, surrogate
from netdesc.kernels.cpu.weights import is_inside
from netdesc.kernels.grid import DECAY_ONE

_AHEAD = 8
"""Steps: some 300 nanoseconds, as long as memory takes."""


@numba.njit(inline="always")
def share(keep):
    return as_floats(keep) * spread(np.float32(1 / DECAY_ONE))


@numba.njit(inline="always")
def step_back(g_s, v, share_u, share_v, threshold, height, width, g_u, g_v):
    """The adjoints of u and v, from those of the step after."""
    g_v = flush(share_v * g_v + surrogate(v, threshold, height, width) * g_s)
    return flush(share_u * g_u + g_v), g_v


@numba.njit(inline="always")
def add_up(starts, ends, sources, row, g_u, weight_sums):
    """Add the input's gradient to the weights of every source that has an event in the row."""
    for e in range(starts[row], ends[row]):
        into = sources[e] * LANES
        store(weight_sums, into, load(weight_sums, into, LANES) + g_u, LANES)


@numba.njit(inline="always")
def hand_out(weight_sums, weight_OI, low, high, lo, n, grad_LI):
    """Transpose a vector's sums [inputs · LANES] into ``grad_LI`` [LANES · inputs].

    Weights whose half integer leaves ``low`` to ``high`` are clamped going forward, so they get no
    gradient.
    """
    inputs = weight_OI.shape[1]
    for i in range(n):
        grad_I = grad_LI[i * inputs : (i + 1) * inputs]
        for j in range(inputs):
            inside = is_inside(weight_OI[lo + i, j], low, high)
            grad_I[j] = weight_sums[j * LANES + i] if inside else np.float32(0)


@numba.njit(inline="always")
def _look_ahead(grad_out, voltage, row, batch, neurons, lo):
    """Fetch what ``_AHEAD`` steps later will be read, which is earlier in time."""
    at = (row - _AHEAD * batch) * neurons + lo
    prefetch(voltage, at)
    prefetch(grad_out, at)


@numba.njit(inline="always")
def _decay_gradients(voltage, row, batch, keep_v, bias, threshold, neurons, lo, n, g_u, g_v, sums):
    """Subtract ``g_u[t+1] · u[t]`` and ``g_v[t+1] · v̄[t]``; ``g_u``, ``g_v`` are those of t + 1.

    ``sums`` are the two gradients [2, neurons] of a sample; u comes from the voltages exactly.
    """
    v = load(voltage, row * neurons + lo, n)
    current = v - bias
    if row >= batch:
        before = load(voltage, (row - batch) * neurons + lo, n)
        current = current - decay_state(after_reset(before, threshold), keep_v)
    store(sums, lo, load(sums, lo, n) - g_u * from_state(current), n)
    held = from_state(after_reset(v, threshold))
    store(sums, neurons + lo, load(sums, neurons + lo, n) - g_v * held, n)


@numba.njit(parallel=True, cache=True, nogil=True)
def adjoint(
    grad_out,
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
    first,
    last,
    after,
    grad_z,
    grad_decays,
):
    """From the gradient of the spikes to the gradient of the input, through v and u.

    The surrogate ``height · exp(−|v − θ| / width)`` (width in state units) is recomputed from the
    stored voltage; the reset is not differentiated. Steps ``first`` to before ``last`` are walked,
    the last ones first, and ``grad_z`` holds these; it may be their part of ``grad_out``. ``after``
    [3, batch, neurons] has the adjoints of u and v in the step after them and the gradient of its
    spikes, and then those of ``first``. With ``learn`` the gradients of the two decays are added to
    ``grad_decays`` [batch, 2 · neurons].
    """
    neurons = len(keep_u)
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        kv, offset = load(keep_v, lo, n), load(bias, lo, n)
        share_u, share_v = share(load(keep_u, lo, n)), share(kv)
        state, size = b * neurons + lo, batch * neurons
        g_u, g_v = load(after, state, n), load(after, size + state, n)
        of_later = load(after, 2 * size + state, n)
        sums = grad_decays[b]
        for row in range((last - 1) * batch + b, first * batch - 1, -batch):
            if learn:
                _decay_gradients(
                    voltage, row, batch, kv, offset, threshold, neurons, lo, n, g_u, g_v, sums
                )
            _look_ahead(grad_out, voltage, row, batch, neurons, lo)
            of_out = load(grad_out, row * neurons + lo, n)
            g_s = of_later if delay else of_out
            of_later = of_out
            v = load(voltage, row * neurons + lo, n)
            g_u, g_v = step_back(g_s, v, share_u, share_v, threshold, height, width, g_u, g_v)
            store(grad_z, (row - first * batch) * neurons + lo, g_u, n)
        store(after, state, g_u, n)
        store(after, size + state, g_v, n)
        store(after, 2 * size + state, of_later, n)


@numba.njit(parallel=True, cache=True, nogil=True)
def adjoint_by_events(
    starts,
    ends,
    sources,
    weight_OI,
    low,
    high,
    grad_out,
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
    first,
    last,
    after,
    keep_grad_z,
    grad_z,
    grad_decays,
    sums_KIL,
    grad_VLI,
):
    """As ``adjoint``, and in the same pass the gradient of the weights, by the input's events.

    Row ``step · batch + sample`` has the events ``sources[starts[row]:ends[row]]``: there the
    input's gradient is added to the weights of every source. A thread takes one vector of outputs
    after the other and adds them up in memory of its own, its part of ``sums_KIL`` [threads,
    inputs · LANES]; the order of additions is that of the events, backward in time. With the
    earliest steps the sums are handed out to ``grad_VLI`` [vectors, LANES · inputs], the gradient
    by rows of outputs; until then they wait there. ``grad_z`` is filled only with ``keep_grad_z``.
    """
    neurons, vectors, threads = len(keep_u), len(grad_VLI), len(sums_KIL)
    for thread in numba.prange(threads):
        weight_sums = sums_KIL[thread]
        for item in range(thread * vectors // threads, (thread + 1) * vectors // threads):
            lo = item * LANES
            n = min(LANES, neurons - lo)
            kv, offset = load(keep_v, lo, n), load(bias, lo, n)
            share_u, share_v = share(load(keep_u, lo, n)), share(kv)
            if last * batch == len(starts):
                weight_sums[:] = 0
            else:
                weight_sums[:] = grad_VLI[item]
            for b in range(batch):
                state, size = b * neurons + lo, batch * neurons
                g_u, g_v = load(after, state, n), load(after, size + state, n)
                of_later = load(after, 2 * size + state, n)
                sums = grad_decays[b]
                for row in range((last - 1) * batch + b, first * batch - 1, -batch):
                    if learn:
                        _decay_gradients(
                            voltage, row, batch, kv, offset, threshold, neurons, lo, n, g_u, g_v,
                            sums,
                        )  # fmt: skip
                    _look_ahead(grad_out, voltage, row, batch, neurons, lo)
                    of_out = load(grad_out, row * neurons + lo, n)
                    g_s = of_later if delay else of_out
                    of_later = of_out
                    v = load(voltage, row * neurons + lo, n)
                    g_u, g_v = step_back(
                        g_s, v, share_u, share_v, threshold, height, width, g_u, g_v
                    )
                    if keep_grad_z:
                        store(grad_z, (row - first * batch) * neurons + lo, g_u, n)
                    add_up(starts, ends, sources, row, g_u, weight_sums)
                store(after, state, g_u, n)
                store(after, size + state, g_v, n)
                store(after, 2 * size + state, of_later, n)
            if first == 0:
                hand_out(weight_sums, weight_OI, low, high, lo, n, grad_VLI[item])
            else:
                grad_VLI[item] = weight_sums


@numba.njit(parallel=True, cache=True, nogil=True)
def leaky_adjoint(grad_u, u_TBN, keep, learn, batch, grad_z, grad_decay):
    """Adjoint of ``leaky_forward``; ``learn`` also sums the decay's gradient [batch, neurons]."""
    neurons = len(keep)
    rows = len(u_TBN) // neurons
    vectors = (neurons + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n = min(LANES, neurons - lo)
        rate, g = share(load(keep, lo, n)), spread(np.float32(0))
        total = spread(np.float32(0))
        for row in range(rows - batch + b, -1, -batch):
            at = row * neurons + lo
            if learn:
                total = total - g * load(u_TBN, at, n)
            g = flush(rate * g + load(grad_u, at, n))
            store(grad_z, at, g, n)
        store(grad_decay, b * neurons + lo, total, n)
