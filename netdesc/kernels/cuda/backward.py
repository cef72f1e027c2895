"""The backward time loop of CUBA neurons in Triton: each program computes all steps of its columns.

A column is one neuron of one sample, as in ``forward``. Loops count steps backward: their step 0 is
the last step of the tensors. NaN and infinities propagate, so that training notices them.
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
)
from netdesc.kernels.fixed_point import DECAY_ONE, STATE_UNIT

_SHARE = tl.constexpr(1.0 / DECAY_ONE)
_PER_UNIT = tl.constexpr(1.0 / STATE_UNIT)


@triton.jit
def _last(tensor, column, steps, row):
    """Returns pointers to ``column`` in the last step of a tensor [steps, columns]."""
    return tensor + (steps.to(tl.int64) - 1) * row + column


@triton.jit(do_not_specialize=["steps", "columns"])
def adjoint(
    grad_out,
    voltage,
    current_decay,
    voltage_decay,
    bias,
    stride_u,
    stride_v,
    tau,
    grad_z,
    grad_decays,
    steps,
    columns,
    neurons,
    threshold,
    unit_height,
    unit_inverse_width,
    HAS_BIAS: tl.constexpr,
    DELAY: tl.constexpr,
    LEARN: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes the gradient of the input from the gradient of the output.

    The surrogate gradient ``height · exp(−|v − θ| · inverse_width)`` is computed from the stored
    voltage; the reset is not differentiated. ``unit_height`` and ``unit_inverse_width`` are the
    height and inverse width for a ``tau`` of 1. ``tau`` is loaded here, so that a schedule can
    change it after a step was captured as a CUDA graph.

    With ``LEARN``, the gradients of the decays are written to ``grad_decays`` [2, columns]. They
    depend on the current u, which is computed exactly from the voltages.
    """
    column = columns_of(tl.program_id(0), BLOCK)
    neuron = column % neurons
    ku, kv = load_keep(current_decay, neuron, stride_u), load_keep(voltage_decay, neuron, stride_v)
    offset = load_bias(bias, neuron, HAS_BIAS)
    width = tl.load(tau)
    height, inverse_width = unit_height / width, unit_inverse_width / width
    share_u, share_v = ku.to(tl.float32) * _SHARE, kv.to(tl.float32) * _SHARE
    g_u = tl.zeros((BLOCK,), tl.float32)
    g_v, sum_u, sum_v = g_u, g_u, g_u
    row = columns.to(tl.int64)
    grad_out_at = _last(grad_out, column, steps, row) + DELAY * row
    voltage_at = _last(voltage, column, steps, row)
    grad_z_at = _last(grad_z, column, steps, row)
    for start in range(0, steps, STEPS_PER_LOAD):
        # With a delay, the spikes of the last step are not in the output.
        grad_rows = load_rows(
            grad_out_at, -row, column, columns, start, DELAY, steps, STEPS_PER_LOAD
        )
        # With ``LEARN``, u is computed from the voltages of this step and of the step before.
        v = load_rows(voltage_at, -row, column, columns, start, 0, steps, STEPS_PER_LOAD + LEARN)
        for i in tl.static_range(STEPS_PER_LOAD):
            exists = existing_columns(column, columns, start + i, 0, steps)
            if LEARN:
                reset_v_before = tl.where(v[i + 1] > threshold, 0, v[i + 1])
                u = v[i] - decay_state(reset_v_before, kv) - offset
                reset_v = tl.where(v[i] > threshold, 0, v[i])
                sum_u -= tl.where(exists, g_u * (u.to(tl.float32) * _PER_UNIT), 0.0)
                sum_v -= tl.where(exists, g_v * (reset_v.to(tl.float32) * _PER_UNIT), 0.0)
            distance = tl.abs(v[i] - threshold).to(tl.float32)
            g_v = share_v * g_v + height * tl.exp(-distance * inverse_width) * grad_rows[i]
            g_u = share_u * g_u + g_v
            tl.store(grad_z_at - i * row, g_u, mask=exists)
        grad_out_at -= STEPS_PER_LOAD * row
        voltage_at -= STEPS_PER_LOAD * row
        grad_z_at -= STEPS_PER_LOAD * row
    if LEARN:
        tl.store(grad_decays + column, sum_u, mask=column < columns)
        tl.store(grad_decays + row + column, sum_v, mask=column < columns)


@triton.jit(do_not_specialize=["steps", "columns"])
def leaky_adjoint(
    grad_u,
    current,
    decay,
    stride,
    grad_z,
    grad_decay,
    steps,
    columns,
    neurons,
    LEARN: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes the gradient of ``forward.leaky``'s input.

    With ``LEARN``, also computes the gradient of the decay, [columns].
    """
    column = columns_of(tl.program_id(0), BLOCK)
    share = load_keep(decay, column % neurons, stride).to(tl.float32) * _SHARE
    g = tl.zeros((BLOCK,), tl.float32)
    total = g
    row = columns.to(tl.int64)
    grad_u_at = _last(grad_u, column, steps, row)
    current_at = _last(current, column, steps, row)
    grad_z_at = _last(grad_z, column, steps, row)
    for start in range(0, steps, STEPS_PER_LOAD):
        grad_rows = load_rows(grad_u_at, -row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        if LEARN:
            u = load_rows(current_at, -row, column, columns, start, 0, steps, STEPS_PER_LOAD)
            for i in tl.static_range(STEPS_PER_LOAD):
                total -= g * u[i]
                g = share * g + grad_rows[i]
                exists = existing_columns(column, columns, start + i, 0, steps)
                tl.store(grad_z_at - i * row, g, mask=exists)
        else:
            for i in tl.static_range(STEPS_PER_LOAD):
                g = share * g + grad_rows[i]
                exists = existing_columns(column, columns, start + i, 0, steps)
                tl.store(grad_z_at - i * row, g, mask=exists)
        grad_u_at -= STEPS_PER_LOAD * row
        current_at -= STEPS_PER_LOAD * row
        grad_z_at -= STEPS_PER_LOAD * row
    if LEARN:
        tl.store(grad_decay + column, total, mask=column < columns)
