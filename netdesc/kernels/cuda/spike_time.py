"""Computes the van Rossum distance with the kernels of ``van_rossum``."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from triton import cdiv

from netdesc.kernels import van_rossum_coefficients
from netdesc.kernels.cuda import van_rossum
from netdesc.kernels.cuda.launch import (
    STEPS_PER_LOAD,
    block_size,
    check_device,
    on_tensor_device,
    start_programs,
    start_time_loop,
)


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


@functools.cache
def _convolved(
    decay: float, order: int, length: int, steps: int, device: torch.device
) -> Tensor | None:
    """Returns the filter h, float64 [length], if recurrences are too inexact, else None."""
    h = van_rossum_coefficients.convolved(decay, order, length, steps)
    return None if h is None else torch.tensor(h, dtype=torch.float64, device=device)


@on_tensor_device
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int
) -> tuple[Tensor, Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    check_device(output_TBN, "the target", target_TBN)
    output_TBN, target_TBN = output_TBN.contiguous(), target_TBN.contiguous()
    steps, batch, size = output_TBN.shape
    columns, device = batch * size, output_TBN.device
    filtered_TBN = torch.empty_like(output_TBN)
    programs = cdiv(columns, block_size(columns))
    h = _convolved(decay, order, length, steps, device)
    if h is None:
        constants, has_tail = _recurrence(decay, order, length, device)
        squares = torch.empty(programs, dtype=torch.float64, device=device)
        start_time_loop(
            van_rossum.filter_difference,
            columns,
            output_TBN,
            target_TBN,
            filtered_TBN,
            squares,
            constants,
            steps,
            columns,
            length,
            width=block_size(columns),
            ORDER=order,
            TAIL=has_tail and length < steps,
            STEPS_PER_LOAD=STEPS_PER_LOAD,
        )
    else:
        squares = torch.empty(steps * programs, dtype=torch.float64, device=device)
        start_programs(
            van_rossum.convolve_difference,
            (steps, programs),
            output_TBN,
            target_TBN,
            filtered_TBN,
            squares,
            h,
            steps,
            columns,
            len(h),
            BLOCK=block_size(columns),
        )
    return squares.sum().to(torch.float32), filtered_TBN


@on_tensor_device
def spike_time_backward(
    filtered_TBN: Tensor, grad_loss: Tensor, decay: float, order: int, length: int
) -> Tensor:
    """See ``reference.van_rossum.spike_time_backward``."""
    check_device(filtered_TBN, "the loss", grad_loss)
    filtered_TBN = filtered_TBN.contiguous()
    steps, batch, size = filtered_TBN.shape
    columns, device = batch * size, filtered_TBN.device
    grad_TBN = torch.empty_like(filtered_TBN)
    h = _convolved(decay, order, length, steps, device)
    if h is None:
        constants, has_tail = _recurrence(decay, order, length, device)
        start_time_loop(
            van_rossum.filter_adjoint,
            columns,
            filtered_TBN,
            grad_loss,
            grad_TBN,
            constants,
            steps,
            columns,
            length,
            ORDER=order,
            TAIL=has_tail and length < steps,
            STEPS_PER_LOAD=STEPS_PER_LOAD,
        )
    else:
        start_programs(
            van_rossum.convolve_adjoint,
            (steps, cdiv(columns, block_size(columns))),
            filtered_TBN,
            grad_loss,
            grad_TBN,
            h,
            steps,
            columns,
            len(h),
            BLOCK=block_size(columns),
        )
    return grad_TBN
