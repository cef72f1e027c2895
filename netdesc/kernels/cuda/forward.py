"""CUBA forward dynamics for Triton: a program owns a block of columns and walks all steps.

A column is a neuron of a sample: the ``columns`` = batch · neurons of a step lie side by side.
Decays and biases are the real ones (see ``steps.keep_of``).
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
    saturate,
    to_state,
)
from netdesc.kernels.fixed_point import STATE_UNIT

_PER_UNIT = tl.constexpr(1.0 / STATE_UNIT)


@triton.jit(do_not_specialize=["steps", "columns"])
def forward(
    z,
    current_decay,
    voltage_decay,
    bias,
    each_u,
    each_v,
    out,
    voltage,
    notes,
    steps,
    columns,
    neurons,
    threshold,
    HAS_BIAS: tl.constexpr,
    DELAY: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """u, v and spikes of all steps from the input ``z``, float32 [steps, columns].

    Writes ``out`` (float32 spikes, ``DELAY`` steps late) and ``voltage`` (int32, before the reset).
    ``notes`` (int64 [4], zeros before) gets the largest |u| and |v|, and at 3 the spikes handed
    out; these are integers, so the order in which programs add to them changes nothing.
    """
    column = columns_of(tl.program_id(0), BLOCK)
    neuron = column % neurons
    ku, kv = keep_of(current_decay, neuron, each_u), keep_of(voltage_decay, neuron, each_v)
    offset = bias_of(bias, neuron, HAS_BIAS)
    u = tl.zeros((BLOCK,), tl.int32)
    held, late = u, u
    peak_u, peak_v, handed_out = u, u, u
    row = columns.to(tl.int64)
    z_at, out_at, voltage_at = z + column, out + column, voltage + column
    for start in range(0, steps, AHEAD):
        arriving = rows_ahead(z_at, row, column, columns, start, 0, steps, AHEAD)
        for i in tl.static_range(AHEAD):
            exists = existing(column, columns, start + i, 0, steps)
            u = saturate(decay_state(u, ku) + to_state(arriving[i]))
            v = saturate(decay_state(held, kv) + u + offset)
            spiked = v > threshold
            held = tl.where(spiked, 0, v)
            spikes = spiked.to(tl.int32)
            emitted = late if DELAY else spikes
            late = spikes
            tl.store(voltage_at + i * row, v, mask=exists)
            tl.store(out_at + i * row, emitted.to(tl.float32), mask=exists)
            # A bias goes on moving neurons after the end, and those that do not exist.
            peak_u = tl.maximum(peak_u, tl.where(exists, tl.abs(u), 0))
            peak_v = tl.maximum(peak_v, tl.where(exists, tl.abs(v), 0))
            handed_out += tl.where(exists, emitted, 0)
        z_at += AHEAD * row
        out_at += AHEAD * row
        voltage_at += AHEAD * row
    tl.atomic_max(notes, tl.max(peak_u, 0).to(tl.int64))
    tl.atomic_max(notes + 1, tl.max(peak_v, 0).to(tl.int64))
    tl.atomic_add(notes + 3, tl.sum(handed_out.to(tl.int64), 0))


@triton.jit(do_not_specialize=["steps", "columns"])
def leaky(
    z,
    decay,
    each,
    current,
    steps,
    columns,
    neurons,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The current alone, handed out as floats: ``u[t] = rtz(keep · u[t−1]) + trunc(4096 z[t])``."""
    column = columns_of(tl.program_id(0), BLOCK)
    k = keep_of(decay, column % neurons, each)
    u = tl.zeros((BLOCK,), tl.int32)
    row = columns.to(tl.int64)
    z_at, current_at = z + column, current + column
    for start in range(0, steps, AHEAD):
        arriving = rows_ahead(z_at, row, column, columns, start, 0, steps, AHEAD)
        for i in tl.static_range(AHEAD):
            exists = existing(column, columns, start + i, 0, steps)
            u = saturate(decay_state(u, k) + to_state(arriving[i]))
            tl.store(current_at + i * row, u.to(tl.float32) * _PER_UNIT, mask=exists)
        z_at += AHEAD * row
        current_at += AHEAD * row
