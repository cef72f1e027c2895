"""The CPU engine: Numba kernels behind the same functions as the reference has.

A layer whose input is sparse and binary runs on event lists; where the input is dense or graded, it
takes the matrix product. ``notes[2]`` says which.
"""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import backward, forward, product
from netdesc.kernels.cpu.adjoints import cuba_backward, dense_cuba_backward, unlisted
from netdesc.kernels.cpu.arrays import array_of, flat, over_time, rows_of
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.constants import constants_of
from netdesc.kernels.cpu.dense import PRODUCT, from_current, notes_of, walk
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.places import time_first
from netdesc.kernels.cpu.sources import EVENT_DENSITY
from netdesc.kernels.cpu.spike_time import spike_time, spike_time_backward
from netdesc.kernels.cpu.synapses import current, weight_gradient
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.windows import window_classes, window_loss, window_loss_backward
from netdesc.kernels.parameters import Dynamics, keep

__all__ = [
    "cuba",
    "cuba_backward",
    "dense_cuba",
    "dense_cuba_backward",
    "leaky",
    "leaky_backward",
    "linear",
    "linear_backward",
    "spike_time",
    "spike_time_backward",
    "window_classes",
    "window_loss",
    "window_loss_backward",
]


@on_threads
def cuba(z_TBN: torch.Tensor, neurons: Dynamics) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.cuba``."""
    z = array_of(z_TBN)
    out, voltage = take(z.shape, np.float32), take(z.shape, np.int32)
    seen = from_current(z, constants_of(neurons), out, voltage)
    return torch.from_numpy(out), torch.from_numpy(voltage), notes_of(seen, PRODUCT)


@on_threads
def dense_cuba(
    spikes_TBI: torch.Tensor, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.dense_cuba``; the last result is the input's events, if they pay."""
    steps, batch, _ = spikes_TBI.shape
    source, lists = _listed(spikes_TBI)
    shape = steps, batch, len(weight_OI)
    out = take(shape, np.float32)
    constants, places = constants_of(neurons), time_first(batch)
    voltage, seen, path = walk(
        source, shape, weight_OI, bits, constants, places, out=out.reshape(-1)
    )
    voltage_TBO = torch.from_numpy(voltage.reshape(shape))
    return torch.from_numpy(out), voltage_TBO, notes_of(seen, path), lists


def _listed(signal_TBI: torch.Tensor) -> tuple[Events | np.ndarray, torch.Tensor]:
    """The input's events if they pay, else its rows; and the lists for the backward pass."""
    rows = rows_of(signal_TBI)
    lists = EventLists(rows, EVENT_DENSITY)
    if lists.pays:
        return lists.events(signal_TBI.shape[1]), lists.hand_over()
    return rows, lists.without()


@on_threads
def linear(signal_TBI: torch.Tensor, weight_OI: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.linear``; the second result is the input's events, if they pay."""
    steps, batch, _ = signal_TBI.shape
    source, lists = _listed(signal_TBI)
    z = current(source, (steps, batch, len(weight_OI)), weight_OI, None)
    return torch.from_numpy(z), lists


@on_threads
def linear_backward(
    grad_z_TBO: torch.Tensor,
    signal_TBI: torch.Tensor | None,
    packed_events: torch.Tensor,
    weight_OI: torch.Tensor,
    want_input: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.linear_backward``."""
    source = unlisted(packed_events, signal_TBI, grad_z_TBO.shape)
    grad_weight = weight_gradient(array_of(grad_z_TBO), source, weight_OI, None)
    if not want_input:
        return grad_z_TBO.new_empty(0), grad_weight
    grad_rows = product.matmul(rows_of(grad_z_TBO), array_of(weight_OI))
    return over_time(grad_rows, grad_z_TBO), grad_weight


@on_threads
def leaky(z_TBN: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """See ``reference.engine.leaky``."""
    _, batch, size = z_TBN.shape
    u = take(tuple(z_TBN.shape), np.float32)
    forward.leaky_forward(flat(z_TBN), flat(keep(decay, size)), batch, u.reshape(-1))
    return torch.from_numpy(u)


@on_threads
def leaky_backward(
    grad_u_TBN: torch.Tensor, u_TBN: torch.Tensor, decay: torch.Tensor, learn: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.leaky_backward``."""
    steps, batch, size = grad_u_TBN.shape
    grad_z = take((steps, batch, size), np.float32)
    grad_decay = np.zeros((batch, size), np.float32)
    backward.leaky_adjoint(
        flat(grad_u_TBN),
        flat(u_TBN),
        flat(keep(decay, size)),
        learn,
        batch,
        0,
        size,
        grad_z.reshape(-1),
        grad_decay.reshape(-1),
    )
    return torch.from_numpy(grad_z), torch.from_numpy(grad_decay.sum(axis=0))
