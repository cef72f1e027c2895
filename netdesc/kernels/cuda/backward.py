"""Adjoints of the CUBA dynamics for Triton: a program walks its columns backward in time.

A column is a neuron of a sample, as in ``forward``. Steps are counted from the end here: ``back``
is 0 at the last one. NaN and infinities pass through, so that training notices them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    bias_of,
    columns_of,
    decay_state,
    existing,
    keep_of,
    rows_ahead,
)
from netdesc.kernels.fixed_point import DECAY_ONE, STATE_UNIT

_SHARE = tl.constexpr(1.0 / DECAY_ONE)
_PER_UNIT = tl.constexpr(1.0 / STATE_UNIT)


@triton.jit
def _last(tensor, column, steps, row):
    """The last step's row of a tensor [steps, columns]."""
    return tensor + (steps.to(tl.int64) - 1) * row + column


@triton.jit(do_not_specialize=["steps", "columns"])
def adjoint(
    grad_out,
    voltage,
    current_decay,
    voltage_decay,
    bias,
    each_u,
    each_v,
    tau,
    grad_z,
    grad_decays,
    steps,
    columns,
    neurons,
    threshold,
    unit_height,
    unit_narrow,
    HAS_BIAS: tl.constexpr,
    DELAY: tl.constexpr,
    LEARN: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """From the gradient of the spikes to the gradient of the input, through v and u.

    The surrogate ``height · exp(−|v − θ| · narrow)`` (``narrow`` per state unit) is recomputed from
    the stored voltage; the reset is not differentiated. Both numbers are given for a ``tau`` of 1,
    which is read here, where a schedule can change it under a captured step. With ``LEARN`` the
    gradients of the two decays are written to ``grad_decays`` [2, columns], u being recovered from
    the voltage exactly.
    """
    column = columns_of(tl.program_id(0), BLOCK)
    neuron = column % neurons
    ku, kv = keep_of(current_decay, neuron, each_u), keep_of(voltage_decay, neuron, each_v)
    offset = bias_of(bias, neuron, HAS_BIAS)
    width = tl.load(tau)
    height, narrow = unit_height / width, unit_narrow / width
    share_u, share_v = ku.to(tl.float32) * _SHARE, kv.to(tl.float32) * _SHARE
    g_u = tl.zeros((BLOCK,), tl.float32)
    g_v, sum_u, sum_v = g_u, g_u, g_u
    row = columns.to(tl.int64)
    grad_out_at = _last(grad_out, column, steps, row) + DELAY * row
    voltage_at = _last(voltage, column, steps, row)
    grad_z_at = _last(grad_z, column, steps, row)
    for start in range(0, steps, AHEAD):
        # The spike of the last step comes after the end where there is a delay.
        arriving = rows_ahead(grad_out_at, -row, column, columns, start, DELAY, steps, AHEAD)
        # Recovering u takes the voltage of the step before, too.
        v = rows_ahead(voltage_at, -row, column, columns, start, 0, steps, AHEAD + LEARN)
        for i in tl.static_range(AHEAD):
            exists = existing(column, columns, start + i, 0, steps)
            if LEARN:
                held_before = tl.where(v[i + 1] > threshold, 0, v[i + 1])
                u = v[i] - decay_state(held_before, kv) - offset
                held = tl.where(v[i] > threshold, 0, v[i])
                sum_u -= tl.where(exists, g_u * (u.to(tl.float32) * _PER_UNIT), 0.0)
                sum_v -= tl.where(exists, g_v * (held.to(tl.float32) * _PER_UNIT), 0.0)
            away = tl.abs(v[i] - threshold).to(tl.float32)
            g_v = share_v * g_v + height * tl.exp(-away * narrow) * arriving[i]
            g_u = share_u * g_u + g_v
            tl.store(grad_z_at - i * row, g_u, mask=exists)
        grad_out_at -= AHEAD * row
        voltage_at -= AHEAD * row
        grad_z_at -= AHEAD * row
    if LEARN:
        tl.store(grad_decays + column, sum_u, mask=column < columns)
        tl.store(grad_decays + row + column, sum_v, mask=column < columns)


@triton.jit(do_not_specialize=["steps", "columns"])
def leaky_adjoint(
    grad_u,
    current,
    decay,
    each,
    grad_z,
    grad_decay,
    steps,
    columns,
    neurons,
    LEARN: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Adjoint of ``forward.leaky``; ``LEARN`` also writes the decay's gradient [columns]."""
    column = columns_of(tl.program_id(0), BLOCK)
    share = keep_of(decay, column % neurons, each).to(tl.float32) * _SHARE
    g = tl.zeros((BLOCK,), tl.float32)
    total = g
    row = columns.to(tl.int64)
    grad_u_at = _last(grad_u, column, steps, row)
    current_at = _last(current, column, steps, row)
    grad_z_at = _last(grad_z, column, steps, row)
    for start in range(0, steps, AHEAD):
        arriving = rows_ahead(grad_u_at, -row, column, columns, start, 0, steps, AHEAD)
        if LEARN:
            u = rows_ahead(current_at, -row, column, columns, start, 0, steps, AHEAD)
            for i in tl.static_range(AHEAD):
                total -= g * u[i]
                g = share * g + arriving[i]
                exists = existing(column, columns, start + i, 0, steps)
                tl.store(grad_z_at - i * row, g, mask=exists)
        else:
            for i in tl.static_range(AHEAD):
                g = share * g + arriving[i]
                exists = existing(column, columns, start + i, 0, steps)
                tl.store(grad_z_at - i * row, g, mask=exists)
        grad_u_at -= AHEAD * row
        current_at -= AHEAD * row
        grad_z_at -= AHEAD * row
    if LEARN:
        tl.store(grad_decay + column, total, mask=column < columns)
