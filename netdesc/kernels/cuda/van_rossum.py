"""The truncated exponential filter of the van Rossum distance and its adjoint, for Triton.

``van_rossum_filter`` says how recurrences make the filter. A program walks the steps for a block of
columns (neurons of samples). ``constants`` holds a and the tail's factor of each recurrence,
[1 + ORDER]; its type is the one in which the states are kept.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import columns_of, existing, rows_ahead


@triton.jit
def _at_rest(constants, ORDER: tl.constexpr, BLOCK: tl.constexpr):
    """The states of ``ORDER`` recurrences, each [BLOCK], before anything arrived."""
    states = ()
    for _ in tl.static_range(ORDER):
        states = states + (tl.zeros((BLOCK,), constants.dtype.element_ty),)
    return states


@triton.jit
def _chain(states, a, x, ORDER: tl.constexpr):
    """One step of the chained recurrences: ``y₁ = a·y₁ + x``, ``y_k = a·y_k + y_(k−1)``."""
    chained = ()
    arriving = x.to(a.dtype)
    for k in tl.static_range(ORDER):
        arriving = a * states[k] + arriving
        chained = chained + (arriving,)
    return chained


@triton.jit
def _tail(states, constants, ORDER: tl.constexpr):
    """What the recurrences, ``length`` steps late, still hold of what the filter has cut off."""
    tail = tl.load(constants + 1) * states[0]
    for k in tl.static_range(1, ORDER):
        tail += tl.load(constants + 1 + k) * states[k]
    return tail


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def filter_difference(
    output,
    target,
    filtered,
    squares,
    constants,
    steps,
    columns,
    length,
    ORDER: tl.constexpr,
    TAIL: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filters ``output − target`` [steps, columns]; ``squares`` [programs] (float64) sums f²."""
    column = columns_of(tl.program_id(0), BLOCK)
    a = tl.load(constants)
    states = _at_rest(constants, ORDER, BLOCK)
    late = _at_rest(constants, ORDER, BLOCK)
    total = tl.zeros((BLOCK,), tl.float64)
    row = columns.to(tl.int64)
    output_at, target_at, filtered_at = output + column, target + column, filtered + column
    back = length.to(tl.int64) * row
    for start in range(0, steps, AHEAD):
        outs = rows_ahead(output_at, row, column, columns, start, 0, steps, AHEAD)
        targets = rows_ahead(target_at, row, column, columns, start, 0, steps, AHEAD)
        if TAIL:
            late_outs = rows_ahead(
                output_at - back, row, column, columns, start, length, steps, AHEAD
            )
            late_targets = rows_ahead(
                target_at - back, row, column, columns, start, length, steps, AHEAD
            )
        for i in tl.static_range(AHEAD):
            states = _chain(states, a, outs[i] - targets[i], ORDER)
            f = states[ORDER - 1]
            if TAIL:
                late = _chain(late, a, late_outs[i] - late_targets[i], ORDER)
                f -= _tail(late, constants, ORDER)
            exists = existing(column, columns, start + i, 0, steps)
            tl.store(filtered_at + i * row, f.to(tl.float32), mask=exists)
            wide = f.to(tl.float64)
            total += tl.where(exists, wide * wide, 0.0)
        output_at += AHEAD * row
        target_at += AHEAD * row
        filtered_at += AHEAD * row
    tl.store(squares + tl.program_id(0), tl.sum(total, 0))


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def filter_adjoint(
    filtered,
    grad_loss,
    grad,
    constants,
    steps,
    columns,
    length,
    ORDER: tl.constexpr,
    TAIL: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The filter run backward in time over ``filtered``, times 2 ``grad_loss`` (on the device)."""
    column = columns_of(tl.program_id(0), BLOCK)
    a = tl.load(constants)
    scale = 2.0 * tl.load(grad_loss).to(tl.float64)
    states = _at_rest(constants, ORDER, BLOCK)
    late = _at_rest(constants, ORDER, BLOCK)
    row = columns.to(tl.int64)
    last = (steps.to(tl.int64) - 1) * row + column
    filtered_at, grad_at = filtered + last, grad + last
    back = length.to(tl.int64) * row
    for start in range(0, steps, AHEAD):
        arriving = rows_ahead(filtered_at, -row, column, columns, start, 0, steps, AHEAD)
        if TAIL:
            late_arriving = rows_ahead(
                filtered_at + back, -row, column, columns, start, length, steps, AHEAD
            )
        for i in tl.static_range(AHEAD):
            states = _chain(states, a, arriving[i], ORDER)
            f = states[ORDER - 1]
            if TAIL:
                late = _chain(late, a, late_arriving[i], ORDER)
                f -= _tail(late, constants, ORDER)
            exists = existing(column, columns, start + i, 0, steps)
            tl.store(grad_at - i * row, (scale * f).to(tl.float32), mask=exists)
        filtered_at -= AHEAD * row
        grad_at -= AHEAD * row


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def convolve_difference(
    output, target, filtered, squares, h, steps, columns, length, BLOCK: tl.constexpr
):
    """As ``filter_difference`` with the filter ``h`` [length] itself: a program has one step."""
    step = tl.program_id(0)
    column = columns_of(tl.program_id(1), BLOCK)
    exists = column < columns
    at = step.to(tl.int64) * columns + column
    total = tl.zeros((BLOCK,), tl.float64)
    for n in range(tl.minimum(length, step + 1)):
        out = tl.load(output + at - n * columns.to(tl.int64), mask=exists, other=0.0)
        wanted = tl.load(target + at - n * columns.to(tl.int64), mask=exists, other=0.0)
        total += tl.load(h + n) * (out - wanted).to(tl.float64)
    tl.store(filtered + at, total.to(tl.float32), mask=exists)
    program = step * tl.num_programs(1) + tl.program_id(1)
    tl.store(squares + program, tl.sum(total * total, 0))


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def convolve_adjoint(filtered, grad_loss, grad, h, steps, columns, length, BLOCK: tl.constexpr):
    """As ``filter_adjoint`` with the filter ``h`` [length] itself."""
    step = tl.program_id(0)
    column = columns_of(tl.program_id(1), BLOCK)
    exists = column < columns
    at = step.to(tl.int64) * columns + column
    total = tl.zeros((BLOCK,), tl.float64)
    for n in range(tl.minimum(length, steps - step)):
        f = tl.load(filtered + at + n * columns.to(tl.int64), mask=exists, other=0.0)
        total += tl.load(h + n) * f.to(tl.float64)
    scale = 2.0 * tl.load(grad_loss).to(tl.float64)
    tl.store(grad + at, (scale * total).to(tl.float32), mask=exists)
