"""Computes the van Rossum distance and its gradient with the kernels of ``van_rossum``."""

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
    """Contiguous tensors that the kernels read or write, [steps, batch, neurons]."""

    output_TBN: Tensor
    target_TBN: Tensor
    f_TBN: Tensor
    grad_TBN: Tensor
    """The gradient with respect to the output; [0] if it is not needed."""


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
    if h is None:
        squares = _filter_by_recurrences(signals, decay, order, length)
    else:
        squares = _filter_by_convolution(signals, h)
    return squares.sum().to(torch.float32), grad_TBN


def _filter_by_recurrences(signals: _Signals, decay: float, order: int, length: int) -> Tensor:
    """Fills ``f_TBN`` and ``grad_TBN``. Returns sums of f², float64 [programs]."""
    output_TBN, target_TBN, f_TBN, grad_TBN = signals
    steps, columns, device = len(output_TBN), output_TBN[0].numel(), output_TBN.device
    constants, has_tail = _recurrence(decay, order, length, device)
    width = block_size(columns)
    squares = torch.empty(cdiv(columns, width), dtype=torch.float64, device=device)
    common_arguments = constants, steps, columns, length
    is_cut = has_tail and length < steps
    constexprs = {"ORDER": order, "TAIL": is_cut, "STEPS_PER_LOAD": STEPS_PER_LOAD}
    start_time_loop(
        van_rossum.filter_difference, columns, output_TBN, target_TBN, f_TBN, squares,
        *common_arguments, width=width, **constexprs,
    )  # fmt: skip
    if grad_TBN.numel():
        adjoint = van_rossum.filter_adjoint
        start_time_loop(adjoint, columns, f_TBN, grad_TBN, *common_arguments, **constexprs)
    return squares


def _filter_by_convolution(signals: _Signals, h: Tensor) -> Tensor:
    """Fills ``f_TBN`` and ``grad_TBN``. Returns sums of f², float64 [programs]."""
    output_TBN, target_TBN, f_TBN, grad_TBN = signals
    steps, columns = len(output_TBN), output_TBN[0].numel()
    width = block_size(columns)
    grid = steps, cdiv(columns, width)
    squares = torch.empty(steps * grid[1], dtype=torch.float64, device=output_TBN.device)
    common_arguments = h, steps, columns, len(h)
    start_programs(
        van_rossum.convolve_difference, grid, output_TBN, target_TBN, f_TBN, squares,
        *common_arguments, BLOCK=width,
    )  # fmt: skip
    if grad_TBN.numel():
        adjoint = van_rossum.convolve_adjoint
        start_programs(adjoint, grid, f_TBN, grad_TBN, *common_arguments, BLOCK=width)
    return squares
