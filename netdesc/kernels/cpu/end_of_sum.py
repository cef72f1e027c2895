"""The end of a network whose output is a sum: its loss, and the gradient of all that is in it.

So ends a network, too, whose target counts spikes. A van Rossum distance looks at the difference to
the target alone. That is taken, filtered and filtered back in the same memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import van_rossum
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.buffers import scratch
from netdesc.kernels.cpu.by_samples import BySamples, samples_at_once
from netdesc.kernels.cpu.distance import Distance, Target
from netdesc.kernels.cpu.spike_time import convolved, sum_of_squares
from netdesc.kernels.cpu.sums import total
from netdesc.kernels.cpu.threads import crew_of
from netdesc.kernels.cpu.trains import SpikeSum, Sum, rows_of_sum

_PARTS = 4
"""Of a batch. Threads share out neurons here, so that parts may be small."""


@dataclass(frozen=True)
class OfSums:
    """A loss that is decided by the numbers of a sum: see ``OfTrains``.

    Floats are all that it goes from where they are no sum of spikes.
    """

    of_spikes: Callable[[SpikeSum, Tensor], BySamples]
    of_floats: Callable[[Tensor], BySamples]


def loss_of_sum(summed: Sum, loss: Distance | OfSums, target: Target | None) -> BySamples:
    """The loss and its gradient; a distance needs the target."""
    if isinstance(loss, OfSums):
        if isinstance(summed, SpikeSum):
            return loss.of_spikes(summed, summed.rates_BN)
        return loss.of_floats(torch.from_numpy(summed))
    assert target is not None, "there is no target"
    grad_total = float(scalar(1) / math.prod(summed.shape)) if loss.mean else 1.0
    return _distance(summed, loss, target, 2.0 * grad_total)


def distance_of_sum(summed: Sum, distance: Distance, target: Target) -> Tensor:
    """The loss alone."""
    by_samples, batch = _distance(summed, distance, target, None), summed.shape[1]
    for first in range(0, batch, by_samples.at_once):
        by_samples.gradient(first, min(batch, first + by_samples.at_once))
    return by_samples.loss()


def _distance(summed: Sum, distance: Distance, target: Target, scale: float | None) -> BySamples:
    """Gradients mean nothing without their ``scale``."""
    (steps, batch, neurons), of_filter = summed.shape, distance.of_filter
    h, squares = van_rossum.convolved(*of_filter, steps), np.zeros((batch, neurons))

    def gradient(first: int, last: int) -> Tensor:
        x_TBN = _difference(summed, target, first, last)
        if h is None:
            _filter_in_place(x_TBN, of_filter, scale, squares[first:last].reshape(-1))
            return torch.from_numpy(x_TBN)
        filtered = convolved(x_TBN, h, 1)
        squares[0, 0] = sum_of_squares(filtered)
        return torch.from_numpy(filtered if scale is None else convolved(filtered, h * scale, -1))

    def value() -> Tensor:
        loss = scalar(total(squares.reshape(-1)))
        return loss / math.prod(summed.shape) if distance.mean else loss

    # Elsewhere, too, the squares of what is convolved are added up all together.
    is_parted = isinstance(summed, SpikeSum) and h is None
    return BySamples(gradient, value, samples_at_once(summed.shape, _PARTS) if is_parted else batch)


def _difference(summed: Sum, target: Target, first: int, last: int) -> np.ndarray:
    """To the target, of samples from ``first`` to before ``last``: of floats in their memory."""
    steps, batch, neurons = summed.shape
    if isinstance(summed, SpikeSum):
        rows = summed.samples(first, last).floats()
    else:
        assert (first, last) == (0, batch), "all of it is one memory"
        rows = summed.reshape(-1, neurons)
    x_TBN = rows.reshape(steps, last - first, neurons)
    if target.spikes is None:
        x_TBN -= target.as_floats((steps, batch, neurons)).numpy()[:, first:last]
    else:
        assert target.spikes.shape == summed.shape, "it does not fit the sum"
        rows_of_sum([target.spikes.samples(first, last)]).add_to(rows, -1.0)
    return x_TBN


def _filter_in_place(
    x_TBN: np.ndarray, of_filter: tuple[float, int, int], scale: float | None, squares: np.ndarray
) -> None:
    steps, batch, neurons = x_TBN.shape
    a, tail = van_rossum.recurrence(*of_filter)
    length, columns = of_filter[2], batch * neurons
    room = van_rossum.room_ahead(tail, length, steps)
    van_rossum.filter_in_place(
        x_TBN.reshape(-1),
        a,
        tail,
        length,
        scale or 0.0,
        steps,
        scratch((crew_of(columns), room), np.float32),
        scale is not None,
        squares,
    )
