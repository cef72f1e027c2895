"""The way forward through a layer of neurons, from its current or from what its synapses read."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu import forward, product
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.sources import Source, reader
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import integer_rows, quantized
from netdesc.kernels.parameters import Dynamics

PRODUCT, EVENTS = 0, 1
"""How a layer's currents came about, as ``notes[2]`` says it."""

_NO_WORDS = np.empty(0, np.int32)
_NO_VALUES = np.empty(0, np.float32)

Shape = tuple[int, int, int]
"""Steps, samples and neurons."""


def room_to_note(batch: int, neurons: int) -> np.ndarray:
    """Memory for what the walk of each vector of neurons sees."""
    return take((batch * -(-neurons // LANES), forward.SEEN), np.int32)


def notes_of(seen: np.ndarray, path: int) -> torch.Tensor:
    notes = np.empty(4, np.int64)
    forward.sum_up(seen, path, notes)
    return torch.from_numpy(notes)  # which makes so small a tensor in a tenth of torch's time


def per_neuron(neurons: Dynamics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return neurons.keep_u.numpy(), neurons.keep_v.numpy(), neurons.bias.numpy()


def spikes_from(
    source: Source, shape: Shape, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Spikes, voltages (both of ``shape``) and notes."""
    out = take(shape, np.float32)
    passed = _walk(source, shape, weight_OI, bits, neurons, out, _NO_WORDS)
    return torch.from_numpy(out), *passed


def trains_from(
    source: Source, shape: Shape, weight_OI: torch.Tensor, bits: int, neurons: Dynamics
) -> tuple[SpikeTrains, torch.Tensor, torch.Tensor]:
    """The same, with spikes that are a bit each."""
    out = SpikeTrains.room(*shape)
    return out, *_walk(source, shape, weight_OI, bits, neurons, _NO_VALUES, out.words)


def _walk(
    source: Source,
    shape: Shape,
    weight_OI: torch.Tensor,
    bits: int,
    neurons: Dynamics,
    out: np.ndarray,
    words: np.ndarray,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fills ``words`` or, where these are none, ``out``; returns voltages and notes."""
    steps, batch, size = shape
    if not isinstance(source, EventLists):
        rows = reader(source, batch, steps)(0, steps)
        z = product.matmul(rows, quantized(weight_OI, bits).T).reshape(shape)
        return from_current(z, neurons, out, z.view(np.int32), words)
    voltage, seen = take(shape, np.int32), room_to_note(batch, size)
    forward.forward_by_events(
        source.starts,
        source.ends,
        source.sources,
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


def from_current(
    z: np.ndarray,
    neurons: Dynamics,
    out: np.ndarray,
    voltage: np.ndarray,
    words: np.ndarray = _NO_WORDS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same from what arrives: ``z`` [steps, batch, neurons], whose memory voltages may take."""
    seen = room_to_note(*z.shape[1:])
    forward.forward_from_input(
        z.reshape(-1),
        *per_neuron(neurons),
        np.int32(neurons.threshold),
        neurons.delay,
        z.shape[1],
        words is not _NO_WORDS,
        out.reshape(-1),
        words,
        voltage.reshape(-1),
        seen.reshape(-1),
    )
    return torch.from_numpy(voltage), notes_of(seen, PRODUCT)
