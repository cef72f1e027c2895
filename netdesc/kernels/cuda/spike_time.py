"""Computes the van Rossum distance with the kernels of ``van_rossum``."""

from __future__ import annotations

import functools
from typing import NamedTuple

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


class _Signals(NamedTuple):
    """What the kernels read and write: contiguous tensors [steps, batch, neurons]."""

    output_TBN: Tensor
    target_TBN: Tensor
    filtered_TBN: Tensor
    grad_TBN: Tensor
    """The gradient of the output, empty if it is not needed."""


@on_tensor_device
def spike_time(
    output_TBN: Tensor, target_TBN: Tensor, decay: float, order: int, length: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    check_device(output_TBN, "the target", target_TBN)
    output_TBN, target_TBN = output_TBN.contiguous(), target_TBN.contiguous()
    grad_TBN = output_TBN.new_empty(output_TBN.shape if keep else (0,))
    signals = _Signals(output_TBN, target_TBN, torch.empty_like(output_TBN), grad_TBN)
    h = _convolved(decay, order, length, len(output_TBN), output_TBN.device)
    squares = _recur(signals, decay, order, length) if h is None else _convolve(signals, h)
    return squares.sum().to(torch.float32), grad_TBN


def _recur(signals: _Signals, decay: float, order: int, length: int) -> Tensor:
    """Computes the filter with recurrences. Returns sums of squares, float64."""
    output_TBN, target_TBN, filtered_TBN, grad_TBN = signals
    steps, columns, device = len(output_TBN), output_TBN[0].numel(), output_TBN.device
    constants, has_tail = _recurrence(decay, order, length, device)
    width = block_size(columns)
    squares = torch.empty(cdiv(columns, width), dtype=torch.float64, device=device)
    sizes = constants, steps, columns, length
    fixed = {"ORDER": order, "TAIL": has_tail and length < steps, "STEPS_PER_LOAD": STEPS_PER_LOAD}
    start_time_loop(
        van_rossum.filter_difference, columns, output_TBN, target_TBN, filtered_TBN, squares,
        *sizes, width=width, **fixed,
    )  # fmt: skip
    if grad_TBN.numel():
        start_time_loop(van_rossum.filter_adjoint, columns, filtered_TBN, grad_TBN, *sizes, **fixed)
    return squares


def _convolve(signals: _Signals, h: Tensor) -> Tensor:
    """Computes the filter by convolution with h. Returns sums of squares, float64."""
    output_TBN, target_TBN, filtered_TBN, grad_TBN = signals
    steps, columns = len(output_TBN), output_TBN[0].numel()
    width = block_size(columns)
    grid = steps, cdiv(columns, width)
    squares = torch.empty(steps * grid[1], dtype=torch.float64, device=output_TBN.device)
    sizes = h, steps, columns, len(h)
    start_programs(
        van_rossum.convolve_difference, grid, output_TBN, target_TBN, filtered_TBN, squares,
        *sizes, BLOCK=width,
    )  # fmt: skip
    if grad_TBN.numel():
        start_programs(
            van_rossum.convolve_adjoint, grid, filtered_TBN, grad_TBN, *sizes, BLOCK=width
        )
    return squares
