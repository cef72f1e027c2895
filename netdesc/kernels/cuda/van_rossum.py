"""The truncated exponential filter of the van Rossum distance and its adjoint, for Triton.

``van_rossum_coefficients`` explains how recurrences compute the filter. A program computes all
steps of a block of columns; a column is one neuron of one sample. ``constants`` [1 + ORDER] holds
the factor ``a`` and the tail's coefficient of each recurrence; the recurrences' states have the
type of ``constants``.
"""

import functools

import torch
import triton
import triton.language as tl
from torch import Tensor

from netdesc.kernels import van_rossum_coefficients
from netdesc.kernels.cuda.launch import STEPS_PER_LOAD, on_tensor_device, start_time_loop
from netdesc.kernels.cuda.steps import columns_of, existing_columns, load_rows, zeros_of_each
from netdesc.kernels.reference import van_rossum as reference


@triton.jit
def _chain(states, a, x, ORDER: tl.constexpr):
    """Computes a step of the chained recurrences: ``y₁ = a·y₁ + x``, ``y_k = a·y_k + y_(k−1)``."""
    chained = ()
    value = x.to(a.dtype)
    for k in tl.static_range(ORDER):
        value = a * states[k] + value
        chained = chained + (value,)
    return chained


@triton.jit
def _tail(states, constants, ORDER: tl.constexpr):
    """Computes the filter's tail from the states of the recurrences ``length`` steps before."""
    tail = tl.load(constants + 1) * states[0]
    for k in tl.static_range(1, ORDER):
        tail += tl.load(constants + 1 + k) * states[k]
    return tail


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def filter_difference(
    output,
    target,
    f_signal,
    squares,
    constants,
    steps,
    columns,
    length,
    ORDER: tl.constexpr,
    TAIL: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filters ``output − target`` [steps, columns], and writes the result f to ``f_signal``.

    Writes the sum of f² over the steps to ``squares``, float64 [columns].
    """
    column = columns_of(tl.program_id(0), BLOCK)
    a = tl.load(constants)
    states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    delayed_states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    total = tl.zeros((BLOCK,), tl.float64)
    row = columns.to(tl.int64)
    output_at, target_at, f_at = output + column, target + column, f_signal + column
    offset = length.to(tl.int64) * row
    for start in range(0, steps, STEPS_PER_LOAD):
        outs = load_rows(output_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        targets = load_rows(target_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        if TAIL:
            delayed_outs = load_rows(
                output_at - offset, row, column, columns, start, length, steps, STEPS_PER_LOAD
            )
            delayed_targets = load_rows(
                target_at - offset, row, column, columns, start, length, steps, STEPS_PER_LOAD
            )
        for i in tl.static_range(STEPS_PER_LOAD):
            states = _chain(states, a, outs[i] - targets[i], ORDER)
            f = states[ORDER - 1]
            if TAIL:
                delayed_states = _chain(
                    delayed_states, a, delayed_outs[i] - delayed_targets[i], ORDER
                )
                f -= _tail(delayed_states, constants, ORDER)
            exists = existing_columns(column, columns, start + i, 0, steps)
            tl.store(f_at + i * row, f.to(tl.float32), mask=exists)
            wide = f.to(tl.float64)
            total += tl.where(exists, wide * wide, 0.0)
        output_at += STEPS_PER_LOAD * row
        target_at += STEPS_PER_LOAD * row
        f_at += STEPS_PER_LOAD * row
    tl.store(squares + column, total, mask=column < columns)


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def filter_adjoint(
    f_signal,
    grad,
    constants,
    steps,
    columns,
    length,
    ORDER: tl.constexpr,
    TAIL: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filters f backward in time, and writes 2 times the result to ``grad``."""
    column = columns_of(tl.program_id(0), BLOCK)
    a = tl.load(constants)
    states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    delayed_states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    row = columns.to(tl.int64)
    last = (steps.to(tl.int64) - 1) * row + column
    f_at, grad_at = f_signal + last, grad + last
    offset = length.to(tl.int64) * row
    for start in range(0, steps, STEPS_PER_LOAD):
        rows = load_rows(f_at, -row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        if TAIL:
            delayed_rows = load_rows(
                f_at + offset, -row, column, columns, start, length, steps, STEPS_PER_LOAD
            )
        for i in tl.static_range(STEPS_PER_LOAD):
            states = _chain(states, a, rows[i], ORDER)
            f = states[ORDER - 1]
            if TAIL:
                delayed_states = _chain(delayed_states, a, delayed_rows[i], ORDER)
                f -= _tail(delayed_states, constants, ORDER)
            exists = existing_columns(column, columns, start + i, 0, steps)
            tl.store(grad_at - i * row, (2.0 * f).to(tl.float32), mask=exists)
        f_at -= STEPS_PER_LOAD * row
        grad_at -= STEPS_PER_LOAD * row


@functools.cache
def _recurrence(decay: float, order: int, length: int, device: torch.device) -> tuple[Tensor, bool]:
    """Returns ``constants`` for the kernels of ``van_rossum``, and whether the filter has a tail.

    The tensor ``constants`` is cached, because copying it to the device makes the host wait. It is
    never freed, because a captured CUDA graph continues to read it.
    """
    a, tail = van_rossum_coefficients.recurrence(decay, order, length)
    width = torch.float64 if tail.dtype == "float64" else torch.float32
    constants = torch.tensor([float(a), *tail.tolist()], dtype=width, device=device)
    return constants, bool(tail.max() > 0)


@on_tensor_device
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, columns, device = len(output_TBN), output_TBN[0].numel(), output_TBN.device
    if van_rossum_coefficients.are_inexact(decay, order, length, steps):
        return reference.spike_time(output_TBN, target_TBN, decay, order, length, keep)
    output_TBN, target_TBN = output_TBN.contiguous(), target_TBN.contiguous()
    grad_TBN = output_TBN.new_empty(output_TBN.shape if keep else (0,))
    f_TBN, squares = (
        torch.empty_like(output_TBN),
        output_TBN.new_empty(columns, dtype=torch.float64),
    )
    constants, has_tail = _recurrence(decay, order, length, device)
    sizes = constants, steps, columns, length
    is_cut = has_tail and length < steps
    constexprs = {"ORDER": order, "TAIL": is_cut, "STEPS_PER_LOAD": STEPS_PER_LOAD}
    trains = output_TBN, target_TBN
    start_time_loop(filter_difference, columns, *trains, f_TBN, squares, *sizes, **constexprs)
    if keep:
        start_time_loop(filter_adjoint, columns, f_TBN, grad_TBN, *sizes, **constexprs)
    return squares.sum().to(torch.float32), grad_TBN
