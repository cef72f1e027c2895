"""The van Rossum distance on the CPU; the output's spikes are kept packed for the backward pass."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.cpu.arrays import array_of, flat, scalar
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.sums import total
from netdesc.kernels.cpu.threads import crew_of, on_threads
from netdesc.kernels.packed_spikes import HEADER, are_packed, packed_size

_NO_VALUES = np.empty(0, np.float32)


@on_threads
def spike_time(
    output_TBN: torch.Tensor, target_TBN: torch.Tensor, decay: float, order: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.van_rossum.spike_time``."""
    steps, batch, neurons = output_TBN.shape
    packed = take((packed_size((steps, batch, neurons)),), np.int32)
    packed[:HEADER] = 0
    h = van_rossum.convolved(decay, order, length, steps)
    if h is not None:
        packed[HEADER:] = 0
        filtered = convolved(array_of(output_TBN - target_TBN), h, 1)
        return scalar(sum_of_squares(filtered)), torch.from_numpy(packed)
    columns = batch * neurons
    odd, squares = np.empty(columns, np.int32), np.empty(columns)
    van_rossum.filter_difference(
        flat(output_TBN),
        flat(target_TBN),
        *van_rossum.recurrence(decay, order, length),
        length,
        steps,
        packed[HEADER:],
        odd,
        squares,
    )
    packed[0] = not odd.any()
    return scalar(total(squares)), torch.from_numpy(packed)


def convolved(x_TBN: np.ndarray, h: np.ndarray, direction: int) -> np.ndarray:
    """See ``van_rossum.convolve``."""
    y_TBN = take(x_TBN.shape, np.float32)
    van_rossum.convolve(x_TBN, h, direction, y_TBN)
    return y_TBN


def sum_of_squares(filtered: np.ndarray) -> float:
    return np.square(filtered, dtype=np.float64).sum()


@on_threads
def spike_time_backward(
    output_TBN: torch.Tensor | None,
    target_TBN: torch.Tensor,
    packed: torch.Tensor,
    grad_loss: torch.Tensor,
    decay: float,
    order: int,
    length: int,
) -> torch.Tensor:
    """See ``reference.van_rossum.spike_time_backward``; ``packed`` stands for the output."""
    steps, batch, neurons = target_TBN.shape
    scale = 2.0 * float(grad_loss)
    h = van_rossum.convolved(decay, order, length, steps)
    if h is not None:
        assert output_TBN is not None, "it was not packed"
        filtered = convolved(array_of(output_TBN - target_TBN), h, 1)
        return torch.from_numpy(convolved(filtered, h * scale, -1))
    from_words = are_packed(packed)
    assert from_words or output_TBN is not None, "without packed spikes the output is needed"
    grad = take((steps, batch, neurons), np.float32)
    a, tail = van_rossum.recurrence(decay, order, length)
    room = van_rossum.room_ahead(tail, length, steps)
    van_rossum.filter_adjoint(
        _NO_VALUES if output_TBN is None else flat(output_TBN),
        packed.numpy()[HEADER:],
        from_words,
        flat(target_TBN),
        a,
        tail,
        length,
        scale,
        steps,
        scratch((crew_of(batch * neurons), room), np.float32),
        grad.reshape(-1),
    )
    return torch.from_numpy(grad)
