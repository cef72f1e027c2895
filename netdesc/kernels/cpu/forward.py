"""CUBA forward dynamics for Numba: every thread owns a tile of neurons and walks all steps.

There is no barrier in the time loop, a tile's states stay in the L1 cache, and no result depends on
the number of threads. Arrays are time-first ``[steps, batch, neurons]``. ``keep`` is 4096 − decay.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.steps import decay_state, saturate, to_state
from netdesc.kernels.grid import STATE_LIMIT, STATE_UNIT, STATES_PER_WEIGHT, WEIGHT_UNIT

_LINE = 16
"""Floats of a cache line: the transposition reads whole lines."""

_LARGEST_SUM = STATE_LIMIT // STATES_PER_WEIGHT
"""A sum of integer weights of this size saturates a state."""

_MANY_EVENTS = _LARGEST_SUM >> 15
"""As many 16-bit weights cannot sum up to more than that."""


@numba.njit(inline="always")
def _largest(peak, value):
    magnitude = np.int32(-value if value < 0 else value)
    return magnitude if magnitude > peak else peak


@numba.njit(inline="always")
def _advance(z, unit, keep_u, keep_v, bias, threshold, u, held, v_t, peak_u, peak_v):
    """One step of a tile: ``z`` times ``unit`` state units arrive; writes u, the held v and v_t."""
    for i in range(z.size):
        current = saturate(np.int32(decay_state(u[i], keep_u[i]) + np.int32(z[i] * unit)))
        v = saturate(np.int32(np.int32(decay_state(held[i], keep_v[i]) + current) + bias[i]))
        u[i] = current
        v_t[i] = v
        held[i] = np.int32(0) if v > threshold else v
        peak_u[i] = _largest(peak_u[i], current)
        peak_v[i] = _largest(peak_v[i], v)


@numba.njit(inline="always")
def _emit(v_t, threshold, out_t, spikes):
    for i in range(v_t.size):
        spiked = v_t[i] > threshold
        out_t[i] = np.float32(1) if spiked else np.float32(0)
        spikes[i] = np.int32(spikes[i] + np.int32(spiked))


@numba.njit(parallel=True, cache=True, nogil=True)
def forward_by_events(
    starts,
    ends,
    sources,
    weight_IO,
    keep_u,
    keep_v,
    bias,
    threshold,
    delay,
    tile,
    out,
    voltage,
    seen,
):
    """Integer currents from event lists, then u, v and spikes, in one pass.

    Row ``step · batch + sample`` has the events ``sources[starts[row]:ends[row]]``. ``weight_IO``
    holds integer weights, the outgoing row of a source contiguous. Writes ``out`` (float spikes,
    ``delay`` steps late), ``voltage`` (int32, before the reset) and ``seen`` (per tile: largest
    |u| and |v|, spikes handed out).
    """
    steps, batch, neurons = out.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        state = np.zeros((6, n), np.int32)
        z, u, held = state[0], state[1], state[2]
        peak_u, peak_v, spikes = state[3], state[4], state[5]
        ku, kv, offset = keep_u[lo : lo + n], keep_v[lo : lo + n], bias[lo : lo + n]
        out[:delay, b, lo : lo + n] = 0
        for t in range(steps):
            row = t * batch + b
            z[:] = 0
            for e in range(starts[row], ends[row]):
                w = weight_IO[sources[e], lo : lo + n]
                for i in range(n):
                    z[i] = np.int32(z[i] + w[i])
            if ends[row] - starts[row] > _MANY_EVENTS:
                for i in range(n):
                    z[i] = min(max(z[i], -_LARGEST_SUM), _LARGEST_SUM)
            v_t = voltage[t, b, lo : lo + n]
            _advance(z, STATES_PER_WEIGHT, ku, kv, offset, threshold, u, held, v_t, peak_u, peak_v)
            if t + delay < steps:
                _emit(v_t, threshold, out[t + delay, b, lo : lo + n], spikes)
        seen[item, 0] = peak_u.max()
        seen[item, 1] = peak_v.max()
        seen[item, 2] = spikes.sum()


@numba.njit(parallel=True, cache=True, nogil=True)
def forward_from_input(z_TBN, keep_u, keep_v, bias, threshold, delay, tile, out, voltage, seen):
    """As ``forward_by_events``, from a float input (threshold units) that is there already."""
    steps, batch, neurons = out.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        state = np.zeros((6, n), np.int32)
        z, u, held = state[0], state[1], state[2]
        peak_u, peak_v, spikes = state[3], state[4], state[5]
        ku, kv, offset = keep_u[lo : lo + n], keep_v[lo : lo + n], bias[lo : lo + n]
        out[:delay, b, lo : lo + n] = 0
        for t in range(steps):
            z_t = z_TBN[t, b, lo : lo + n]
            for i in range(n):
                z[i] = to_state(z_t[i])
            v_t = voltage[t, b, lo : lo + n]
            _advance(z, 1, ku, kv, offset, threshold, u, held, v_t, peak_u, peak_v)
            if t + delay < steps:
                _emit(v_t, threshold, out[t + delay, b, lo : lo + n], spikes)
        seen[item, 0] = peak_u.max()
        seen[item, 1] = peak_v.max()
        seen[item, 2] = spikes.sum()


@numba.njit(parallel=True, cache=True, nogil=True)
def leaky_forward(z_TBN, keep, tile, u_TBN):
    """The current alone: ``u[t] = rtz(keep · u[t−1]) + trunc(4096 z[t])``, handed out as floats."""
    steps, batch, neurons = z_TBN.shape
    tiles = (neurons + tile - 1) // tile
    for item in numba.prange(batch * tiles):
        b = item // tiles
        lo = (item % tiles) * tile
        n = min(tile, neurons - lo)
        u = np.zeros(n, np.int32)
        k = keep[lo : lo + n]
        for t in range(steps):
            z_t = z_TBN[t, b, lo : lo + n]
            u_t = u_TBN[t, b, lo : lo + n]
            for i in range(n):
                u[i] = saturate(np.int32(decay_state(u[i], k[i]) + to_state(z_t[i])))
                u_t[i] = np.float32(u[i]) * np.float32(1 / STATE_UNIT)


@numba.njit(inline="always")
def _half(weight, low, high):
    """``round(32 · weight)``, held between ``low`` and ``high``; NaN becomes 0."""
    half = np.rint(weight * np.float32(WEIGHT_UNIT / 2)) if weight == weight else np.float32(0)
    half = low if half < low else half
    return high if half > high else half


@numba.njit(parallel=True, cache=True, nogil=True)
def quantized(weight_OI, low, high, quantized_OI):
    """``kernels.quantization.quantize`` in one pass; ``low``, ``high`` are halved weights."""
    outputs, inputs = weight_OI.shape
    for o in numba.prange(outputs):
        for j in range(inputs):
            quantized_OI[o, j] = _half(weight_OI[o, j], low, high) * np.float32(2 / WEIGHT_UNIT)


@numba.njit(parallel=True, cache=True, nogil=True)
def quantized_rows(weight_OI, low, high, integer_IO):
    """Integer weights ``2 · clamp(round(32 · w), low, high)``, an input's outgoing row contiguous.

    Rounding is half to even.
    """
    outputs, inputs = weight_OI.shape
    for block in numba.prange((inputs + _LINE - 1) // _LINE):
        first = block * _LINE
        for o in range(outputs):
            for j in range(first, min(first + _LINE, inputs)):
                integer_IO[j, o] = np.int16(2 * np.int32(_half(weight_OI[o, j], low, high)))
