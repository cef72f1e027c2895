"""The way back through a layer that lets its gradient of the current be whole before it is used.

So do layers with something between synapses and neurons, and those with weights off the grid. Sums
are added up as ``linear_backward`` does it: over all rows, from the first to the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from netdesc.kernels.cpu import product
from netdesc.kernels.cpu.adjoints import runs_of
from netdesc.kernels.cpu.arrays import array_of, as_rows
from netdesc.kernels.cpu.between import Between
from netdesc.kernels.cpu.sources import reader
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.walker import Signal, Walker
from netdesc.kernels.cpu.weights import room_by_vectors, stop_at_clamped

_RUN = 1 << 18
"""Numbers of the input that are read at a time: 1 MB."""


def current_gradient(
    walker: Walker,
    grad_out: Callable[[int, int], Signal],
    between: Between | None,
    grad_TBN: np.ndarray,
) -> torch.Tensor:
    """Fills ``grad_TBN`` with the gradient of what arrives; returns those of the decays.

    It may be the memory of the voltages. ``grad_out`` gives the gradient of the spikes from one
    step to before another.
    """
    for first, last, part in runs_of(walker, grad_TBN):
        walker.walk(first, last, grad_out(first, last), part)
    grad_decays = walker.decays()
    if between is not None:
        of_norm = between.back(grad_TBN)
        if of_norm is not None:  # the neurons' own current decay is none to learn then
            grad_decays[0] = of_norm
    return grad_decays


def weight_gradient(
    grad_TBN: np.ndarray,
    source: SpikeTrains | np.ndarray,
    weight_OI: torch.Tensor,
    bits: int | None,
) -> torch.Tensor:
    """That of the weights, from the gradient of what arrives and from what the synapses read."""
    steps, batch, outputs = grad_TBN.shape
    inputs = weight_OI.shape[1]
    grad_OI = room_by_vectors(outputs, inputs)[:outputs]
    length = steps if isinstance(source, np.ndarray) else _length(batch, inputs)
    read = reader(source, batch, min(steps, length))
    for first in range(0, steps, length):
        last = min(steps, first + length)
        grad_rows = as_rows(grad_TBN[first:last])
        product.matmul(grad_rows.T, read(first, last), grad_OI, onto=first > 0)
    if bits is not None:
        stop_at_clamped(grad_OI, array_of(weight_OI), bits)
    return torch.from_numpy(grad_OI)


def _length(batch: int, inputs: int) -> int:
    """Steps whose rows are whole blocks of a sum's terms, so that runs change no rounding."""
    whole = product.DEPTH // math.gcd(product.DEPTH, batch)
    return whole * max(1, _RUN // (whole * batch * inputs))
