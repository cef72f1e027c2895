"""The forward time loop of CUBA neurons in Triton: each program computes all steps of its columns.

A column is one neuron of one sample, so each step has ``columns`` = batch · neurons columns. Decays
and biases are real numbers, which kernels convert to fixed-point numbers (``steps.load_keep``).
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    columns_of,
    decay_state,
    existing_columns,
    load_bias,
    load_keep,
    load_rows,
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
    stride_u,
    stride_v,
    out,
    voltage,
    notes,
    steps,
    columns,
    neurons,
    threshold,
    HAS_BIAS: tl.constexpr,
    DELAY: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes all steps of neurons from their synaptic input ``z``, float32 [steps, columns].

    Writes ``out`` (float32 spikes, delayed by ``DELAY`` steps) and ``voltage`` (int32, before the
    reset). Updates ``notes`` (int64 [4], zeros before): at 0 and 1 the largest |u| and |v|, at 3
    the number of output spikes. These are integers, so the order of programs does not change them.
    """
    column = columns_of(tl.program_id(0), BLOCK)
    neuron = column % neurons
    ku, kv = load_keep(current_decay, neuron, stride_u), load_keep(voltage_decay, neuron, stride_v)
    offset = load_bias(bias, neuron, HAS_BIAS)
    u = tl.zeros((BLOCK,), tl.int32)
    reset_v, delayed = u, u
    peak_u, peak_v, spike_count = u, u, u
    row = columns.to(tl.int64)
    z_at, out_at, voltage_at = z + column, out + column, voltage + column
    for start in range(0, steps, STEPS_PER_LOAD):
        z_rows = load_rows(z_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        for i in tl.static_range(STEPS_PER_LOAD):
            exists = existing_columns(column, columns, start + i, 0, steps)
            u = saturate(decay_state(u, ku) + to_state(z_rows[i]))
            v = saturate(decay_state(reset_v, kv) + u + offset)
            spiked = v > threshold
            reset_v = tl.where(spiked, 0, v)
            spikes = spiked.to(tl.int32)
            emitted = delayed if DELAY else spikes
            delayed = spikes
            tl.store(voltage_at + i * row, v, mask=exists)
            tl.store(out_at + i * row, emitted.to(tl.float32), mask=exists)
            # With a bias, states are not 0 beyond the last step and the last column.
            peak_u = tl.maximum(peak_u, tl.where(exists, tl.abs(u), 0))
            peak_v = tl.maximum(peak_v, tl.where(exists, tl.abs(v), 0))
            spike_count += tl.where(exists, emitted, 0)
        z_at += STEPS_PER_LOAD * row
        out_at += STEPS_PER_LOAD * row
        voltage_at += STEPS_PER_LOAD * row
    tl.atomic_max(notes, tl.max(peak_u, 0).to(tl.int64))
    tl.atomic_max(notes + 1, tl.max(peak_v, 0).to(tl.int64))
    tl.atomic_add(notes + 3, tl.sum(spike_count.to(tl.int64), 0))


@triton.jit(do_not_specialize=["steps", "columns"])
def leaky(
    z,
    decay,
    stride,
    current,
    steps,
    columns,
    neurons,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes the current without the voltage, as floats in threshold units.

    In state units, the current is ``u[t] = rtz(keep · u[t−1] / 4096) + trunc(4096 · z[t])``, where
    rtz rounds toward zero.
    """
    column = columns_of(tl.program_id(0), BLOCK)
    k = load_keep(decay, column % neurons, stride)
    u = tl.zeros((BLOCK,), tl.int32)
    row = columns.to(tl.int64)
    z_at, current_at = z + column, current + column
    for start in range(0, steps, STEPS_PER_LOAD):
        z_rows = load_rows(z_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        for i in tl.static_range(STEPS_PER_LOAD):
            exists = existing_columns(column, columns, start + i, 0, steps)
            u = saturate(decay_state(u, k) + to_state(z_rows[i]))
            tl.store(current_at + i * row, u.to(tl.float32) * _PER_UNIT, mask=exists)
        z_at += STEPS_PER_LOAD * row
        current_at += STEPS_PER_LOAD * row
