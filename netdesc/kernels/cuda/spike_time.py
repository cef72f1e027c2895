"""Computes the van Rossum distance and its gradient with the kernels of ``van_rossum``."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from netdesc.kernels import van_rossum_coefficients
from netdesc.kernels.cuda.launch import STEPS_PER_LOAD, on_tensor_device, start_time_loop
from netdesc.kernels.cuda.van_rossum import filter_adjoint, filter_difference
from netdesc.kernels.reference import van_rossum as reference


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
