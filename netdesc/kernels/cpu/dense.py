"""The way forward through a layer of neurons, from its input or from its input's events."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import forward
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import integer_rows
from netdesc.kernels.parameters import Dynamics

PRODUCT, EVENTS = 0, 1
"""How a layer's currents came about, as ``notes[2]`` says it."""

EVENT_DENSITY = 0.33
"""Share of non-zero inputs up to which adding rows by events is faster than the product.

Measured on Zen 4 with AVX-512, where the product is fastest: both took the same time from 0.33 to
0.45, for layers of 200 to 2,048 inputs and 256 to 512 neurons.
"""

_NO_WORDS = np.empty(0, np.int32)
_NO_VALUES = np.empty(0, np.float32)


def room_to_note(batch: int, neurons: int) -> np.ndarray:
    """Memory for what the walk of each vector of neurons sees."""
    return take((batch * -(-neurons // LANES), forward.SEEN), np.int32)


def notes_of(seen: np.ndarray, path: int) -> torch.Tensor:
    notes = np.empty(4, np.int64)
    forward.sum_up(seen, path, notes)
    return torch.from_numpy(notes)  # which makes so small a tensor in a tenth of torch's time


def per_neuron(neurons: Dynamics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return neurons.keep_u.numpy(), neurons.keep_v.numpy(), neurons.bias.numpy()


def from_input(
    z: np.ndarray, neurons: Dynamics, voltage: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Spikes, voltages and notes; ``voltage`` may be the memory of the input ``z``."""
    out, seen = take(z.shape, np.float32), room_to_note(*z.shape[1:])
    forward.forward_from_input(
        z.reshape(-1),
        *per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        z.shape[1],
        out.reshape(-1),
        voltage.reshape(-1),
        seen.reshape(-1),
    )
    return torch.from_numpy(out), torch.from_numpy(voltage), notes_of(seen, PRODUCT)


def from_events(
    events: EventLists, batch: int, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same, from the events of the layer's input."""
    out = take((len(events.starts) // batch, batch, len(weight_OI)), np.float32)
    passed = _walk(events, out.shape, weight_OI, bits, neurons, out, _NO_WORDS)
    return torch.from_numpy(out), *passed


def trains_from_events(
    events: EventLists, batch: int, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[SpikeTrains, torch.Tensor, torch.Tensor]:
    """The same, with spikes that are a bit each."""
    out = SpikeTrains.room(len(events.starts) // batch, batch, len(weight_OI))
    return out, *_walk(events, out.shape, weight_OI, bits, neurons, _NO_VALUES, out.words)


def _walk(
    events: EventLists,
    shape: tuple[int, ...],
    weight_OI: torch.Tensor,
    bits: int,
    neurons: Dynamics,
    out: np.ndarray,
    words: np.ndarray,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fills ``words`` or, where these are none, ``out``; returns voltages and notes."""
    _, batch, size = shape
    voltage, seen = take(shape, np.int32), room_to_note(batch, size)
    forward.forward_by_events(
        events.starts,
        events.ends,
        events.sources,
        integer_rows(weight_OI, bits).reshape(-1),
        *per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        batch,
        words is not _NO_WORDS,
        out.reshape(-1),
        words,
        voltage.reshape(-1),
        seen.reshape(-1),
    )
    return torch.from_numpy(voltage), notes_of(seen, EVENTS)
