"""Adjoints of the CUBA dynamics for Numba: one pass backward in time for each tile of neurons.

Fast maths is allowed here: these are float gradients, the integer grid is only read. Their order of
additions is fixed by the tile's own loop, so no result depends on the number of threads. NaN and
infinities pass through, so that training notices them.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.steps import FAST, decay_state, flush
from netdesc.kernels.grid import DECAY_ONE, STATE_UNIT, WEIGHT_UNIT


@numba.njit(inline="always", fastmath=FAST)
def exp_of_minus(y):
    """``exp(−y)`` for y ≥ 0, to about 3e-6 of ``exp(0)``; y above 60 counts as 60.

    A Taylor polynomial of degree 6 in −y/64, squared six times: arithmetic only, so it vectorises.
    """
    y = y if y < np.float32(60) else np.float32(60)
    x = y * np.float32(-1 / 64)
    p = np.float32(1 / 720) * x + np.float32(1 / 120)
    p = p * x + np.float32(1 / 24)
    p = p * x + np.float32(1 / 6)
    p = p * x + np.float32(1 / 2)
    p = p * x + np.float32(1)
    p = p * x + np.float32(1)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@numba.njit(inline="always", fastmath=FAST)
def _step_back(g_s, v_t, share_u, share_v, threshold, height, width, g_u, g_v):
    """The adjoints of one step for a tile: ``g_u`` and ``g_v`` go from t + 1 to t."""
    narrow = np.float32(1) / np.float32(width)
    high = np.float32(height)
    for i in range(g_u.size):
        away = np.float32(np.int32(v_t[i] - threshold))
        away = -away if away < 0 else away
        surrogate = high * exp_of_minus(away * narrow)
        through_v = flush(share_v[i] * g_v[i] + surrogate * g_s[i])
        g_v[i] = through_v
        g_u[i] = flush(share_u[i] * g_u[i] + through_v)


@numba.njit(inline="always", fastmath=FAST)
def _decay_gradients(g_u, g_v, v_t, before, keep_v, bias, threshold, grad_u, grad_v):
    """Subtract ``g_u[t+1] · u[t]`` and ``g_v[t+1] · v̄[t]``; ``g_u``, ``g_v`` are those of t + 1."""
    # Two loops: with more arrays in one, LLVM has too many overlaps to rule out to vectorise.
    for i in range(v_t.size):
        held_before = np.int32(0) if before[i] > threshold else before[i]
        current = np.int32(np.int32(v_t[i] - decay_state(held_before, keep_v[i])) - bias[i])
        grad_u[i] -= g_u[i] * np.float32(current) * np.float32(1 / STATE_UNIT)
    for i in range(v_t.size):
        held = np.int32(0) if v_t[i] > threshold else v_t[i]
        grad_v[i] -= g_v[i] * np.float32(held) * np.float32(1 / STATE_UNIT)


@numba.njit(inline="always")
def _shares(keep):
    return keep.astype(np.float32) * np.float32(1 / DECAY_ONE)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
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
    tile,
    first,
    after,
    grad_z,
    grad_decays,
):
    """From the gradient of the spikes to the gradient of the input, through v and u.

    The surrogate ``height · exp(−|v − θ| / width)`` (width in state units) is recomputed from the
    stored voltage; the reset is not differentiated. ``grad_z`` gets the steps from ``first`` on
    that it has room for; ``after`` [2, batch, neurons] holds the adjoints of u and v in the step
    after them, and then those of ``first``. With ``learn`` the gradients of the two decays are
    added to ``grad_decays`` [batch, 2, neurons], u being recovered from the voltage exactly.
    """
    steps, batch, neurons = voltage.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        kv, offset = keep_v[lo : lo + n], bias[lo : lo + n]
        share_u, share_v = _shares(keep_u[lo : lo + n]), _shares(kv)
        g_u, g_v = after[0, b, lo : lo + n].copy(), after[1, b, lo : lo + n].copy()
        silent, at_rest = np.zeros(n, np.float32), np.zeros(n, np.int32)
        grad_du, grad_dv = grad_decays[b, 0, lo : lo + n], grad_decays[b, 1, lo : lo + n]
        for t in range(first + len(grad_z) - 1, first - 1, -1):
            v_t = voltage[t, b, lo : lo + n]
            if learn:
                before = voltage[t - 1, b, lo : lo + n] if t > 0 else at_rest
                _decay_gradients(g_u, g_v, v_t, before, kv, offset, threshold, grad_du, grad_dv)
            g_s = grad_out[t + delay, b, lo : lo + n] if t + delay < steps else silent
            _step_back(g_s, v_t, share_u, share_v, threshold, height, width, g_u, g_v)
            grad_z[t - first, b, lo : lo + n] = g_u
        after[0, b, lo : lo + n] = g_u
        after[1, b, lo : lo + n] = g_v


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
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
    keep_grad_z,
    first,
    last,
    after,
    sums_KIN,
    grad_z,
    grad_decays,
    grad_OI,
):
    """As ``adjoint``, and in the same pass the gradient of the weights, by the input's events.

    Row ``step · batch + sample`` has the events ``sources[starts[row]:ends[row]]``: there the
    input's gradient is added to the weights of every source. A thread owns outputs and adds them up
    in memory of its own, ``sums_KIN`` [tiles, inputs, tile]; the order of additions is that of the
    events, backward in time. Steps from ``first`` to before ``last`` are walked: the last ones come
    first, and with the earliest ``grad_OI`` is filled. Weights whose half integer leaves ``low`` to
    ``high`` are clamped going forward, so they get no gradient. ``grad_z`` is filled, from
    ``first`` on, only with ``keep_grad_z``.
    """
    steps, batch, neurons = voltage.shape
    tiles, inputs, tile = sums_KIN.shape
    for item in numba.prange(tiles):
        lo = item * tile
        n = min(tile, neurons - lo)
        kv, offset = keep_v[lo : lo + n], bias[lo : lo + n]
        share_u, share_v = _shares(keep_u[lo : lo + n]), _shares(kv)
        g_u, g_v = np.empty(n, np.float32), np.empty(n, np.float32)
        silent, at_rest = np.zeros(n, np.float32), np.zeros(n, np.int32)
        sums_IN = sums_KIN[item]
        if last == steps:
            sums_IN[:] = 0
        for b in range(batch):
            grad_du, grad_dv = grad_decays[b, 0, lo : lo + n], grad_decays[b, 1, lo : lo + n]
            g_u[:] = after[0, b, lo : lo + n]
            g_v[:] = after[1, b, lo : lo + n]
            for t in range(last - 1, first - 1, -1):
                v_t = voltage[t, b, lo : lo + n]
                if learn:
                    before = voltage[t - 1, b, lo : lo + n] if t > 0 else at_rest
                    _decay_gradients(g_u, g_v, v_t, before, kv, offset, threshold, grad_du, grad_dv)
                g_s = grad_out[t + delay, b, lo : lo + n] if t + delay < steps else silent
                _step_back(g_s, v_t, share_u, share_v, threshold, height, width, g_u, g_v)
                if keep_grad_z:
                    grad_z[t - first, b, lo : lo + n] = g_u
                row = t * batch + b
                for e in range(starts[row], ends[row]):
                    into = sums_IN[sources[e]]
                    for i in range(n):
                        into[i] += g_u[i]
            after[0, b, lo : lo + n] = g_u
            after[1, b, lo : lo + n] = g_v
        if first == 0:
            for i in range(n):
                for j in range(inputs):
                    half = np.rint(weight_OI[lo + i, j] * np.float32(WEIGHT_UNIT / 2))
                    inside = (half >= low) & (half <= high)
                    grad_OI[lo + i, j] = sums_IN[j, i] if inside else np.float32(0)


@numba.njit(parallel=True, cache=True, nogil=True, fastmath=FAST)
def leaky_adjoint(grad_u, u_TBN, keep, learn, tile, grad_z, grad_decay):
    """Adjoint of ``leaky_forward``; ``learn`` also sums the decay's gradient [batch, neurons]."""
    steps, batch, neurons = grad_u.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        g = np.zeros(n, np.float32)
        share = keep[lo : lo + n].astype(np.float32) * np.float32(1 / DECAY_ONE)
        grad_d = grad_decay[b, lo : lo + n]
        for t in range(steps - 1, -1, -1):
            u_t = u_TBN[t, b, lo : lo + n]
            if learn:
                for i in range(n):
                    grad_d[i] -= g[i] * u_t[i]
            from_t = grad_u[t, b, lo : lo + n]
            to_t = grad_z[t, b, lo : lo + n]
            for i in range(n):
                g[i] = flush(share[i] * g[i] + from_t[i])
                to_t[i] = g[i]
