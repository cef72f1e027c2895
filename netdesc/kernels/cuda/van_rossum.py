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
from netdesc.kernels.cuda.launch import on_tensor_device, start_time_loop
from netdesc.kernels.cuda.steps import existing_columns, load_rows_of_each, move_each, zeros_of_each
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


@triton.jit
def _input_of_each(rows, ROWS: tl.constexpr):
    """Returns the rows of one signal, or of the difference of two."""
    inputs = ()
    for i in tl.static_range(ROWS):
        inputs = inputs + (rows[0][i] - rows[1][i] if len(rows) == 2 else rows[0][i],)
    return inputs


@triton.jit(do_not_specialize=["steps", "columns", "length"])
def filter_signal(
    signals,
    filtered,
    squares,
    constants,
    steps,
    columns,
    length,
    BACKWARD: tl.constexpr,
    ORDER: tl.constexpr,
    TAIL: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filters a signal [steps, columns], or the difference of two, and writes f to ``filtered``.

    Forward in time, writes the sum of f² over the steps to ``squares``, float64 [columns]. With
    ``BACKWARD``, filters backward in time, and writes 2f in place of f.
    """
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(constants)
    states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    delayed_states = zeros_of_each(ORDER, BLOCK, constants.dtype.element_ty)
    total = tl.zeros((BLOCK,), tl.float64)
    row, first = columns.to(tl.int64), column.to(tl.int64)
    if BACKWARD:
        first += (steps.to(tl.int64) - 1) * row
        row = -row
    signals_at, filtered_at = move_each(signals, first), filtered + first
    delay = -length.to(tl.int64) * row
    for start in range(0, steps, STEPS_PER_LOAD):
        rows = load_rows_of_each(signals_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        inputs = _input_of_each(rows, STEPS_PER_LOAD)
        if TAIL:
            delayed_at = move_each(signals_at, delay)
            delayed_rows = load_rows_of_each(
                delayed_at, row, column, columns, start, length, steps, STEPS_PER_LOAD
            )
            delayed_inputs = _input_of_each(delayed_rows, STEPS_PER_LOAD)
        for i in tl.static_range(STEPS_PER_LOAD):
            states = _chain(states, a, inputs[i], ORDER)
            f = states[ORDER - 1]
            if TAIL:
                delayed_states = _chain(delayed_states, a, delayed_inputs[i], ORDER)
                f -= _tail(delayed_states, constants, ORDER)
            exists = existing_columns(column, columns, start + i, 0, steps)
            if BACKWARD:
                f *= 2.0
            else:
                wide = f.to(tl.float64)
                total += tl.where(exists, wide * wide, 0.0)
            tl.store(filtered_at + i * row, f.to(tl.float32), mask=exists)
        signals_at = move_each(signals_at, STEPS_PER_LOAD * row)
        filtered_at += STEPS_PER_LOAD * row
    if not BACKWARD:
        tl.store(squares + column, total, mask=column < columns)


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
    f_TBN = torch.empty_like(output_TBN)
    squares = output_TBN.new_empty(columns, dtype=torch.float64)
    constants, has_tail = _recurrence(decay, order, length, device)
    sizes = constants, steps, columns, length
    is_cut = has_tail and length < steps
    runs = [((output_TBN, target_TBN), f_TBN, False), ((f_TBN,), grad_TBN, True)]
    for signals, filtered, is_backward in runs[: 1 + keep]:
        start_time_loop(
            filter_signal, columns, signals, filtered, squares, *sizes,
            BACKWARD=is_backward, ORDER=order, TAIL=is_cut,
        )  # fmt: skip
    return squares.sum().to(torch.float32), grad_TBN
