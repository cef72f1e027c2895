"""The van Rossum distance on the CPU: the filters of ``van_rossum`` on whole tensors."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.cpu.arrays import flat, scalar
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.reference import van_rossum as reference


@on_threads
def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    filter = van_rossum.make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time(output_TBN, target_TBN, decay, order, length)
    threads()
    filtered = take((steps, batch, neurons), np.float32)
    squares = np.empty(batch * neurons)
    van_rossum.filter_difference(
        flat(output_TBN), flat(target_TBN), steps, filter, filtered.reshape(-1), squares
    )
    return scalar(squares.sum()), torch.from_numpy(filtered)


@on_threads
def spike_time_backward(
    filtered_TBN: torch.Tensor, grad_loss: torch.Tensor, decay: float, order: int, length: int
) -> torch.Tensor:
    """See ``reference.van_rossum.spike_time_backward``."""
    steps, batch, neurons = filtered_TBN.shape
    filter = van_rossum.make_filter(decay, order, length, steps)
    if filter is None:
        return reference.spike_time_backward(filtered_TBN, grad_loss, decay, order, length)
    threads()
    grad = take((steps, batch, neurons), np.float32)
    scale = 2.0 * float(grad_loss)
    van_rossum.filter_adjoint(flat(filtered_TBN), scale, steps, filter, grad.reshape(-1))
    return torch.from_numpy(grad)
