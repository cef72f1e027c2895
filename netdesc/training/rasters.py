"""Spike rasters as events, and what keeps many of them small.

A small network needs less memory for a training step than one of its rasters takes as floats, or a
few of them as events. So events are looked for a few steps at a time, and what is to wait for long
is packed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.kernels.spike_words import SpikeWords, steps_in_run

MOST_EVENTS = 200_000

_BITS_OF_WINDOW, _MEMORY = 13, 5
"""Deflate's: with its usual ones it takes 256 kB to pack a tenth of that."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Events, int32 [events, 2] of (step, row-major cell) in order.

    In memory all steps come first, and then all cells: so they are packed several times smaller.
    ``cut`` is the step from which on they were too many, and were left out.
    """

    events: NDArray[np.int32]
    cut: int | None = None

    def packed(self) -> PackedRaster:
        packer = zlib.compressobj(1, zlib.DEFLATED, _BITS_OF_WINDOW, _MEMORY)
        pieces = packer.compress(np.ascontiguousarray(self.events.T).data), packer.flush()
        return PackedRaster(b"".join(pieces), self.cut)


@dataclass(frozen=True)
class PackedRaster:
    """The same, a few times smaller."""

    deflated: bytes
    cut: int | None

    def unpacked(self) -> Raster:
        events = np.frombuffer(zlib.decompress(self.deflated), np.int32)
        return Raster(events.reshape(2, -1).T, self.cut)


def raster_of(runs: Iterable[NDArray]) -> Raster:
    """Of runs of steps, [steps, cells], not 0 where there is a spike."""
    found, first, count = [np.empty((2, 0), np.int32)], 0, 0
    for run in runs:
        steps, cells = np.nonzero(run)
        found.append(np.array((steps + first, cells), np.int32))
        first, count = first + len(run), count + len(steps)
        if count > MOST_EVENTS:
            break
    events_2E = np.concatenate(found, axis=1)
    if count <= MOST_EVENTS:
        return Raster(events_2E.T)
    cut = int(events_2E[0, MOST_EVENTS])
    kept = np.searchsorted(events_2E[0], cut)
    return Raster(np.ascontiguousarray(events_2E[:, :kept]).T, cut)


def runs_of(given: torch.Tensor | SpikeWords, sample: int) -> Iterator[NDArray]:
    """One sample's runs, of spikes [steps, batch, …]."""
    if isinstance(given, SpikeWords):
        return given.runs_of_sample(sample)
    spikes_TN = given[:, sample].flatten(1)
    return (run.cpu().numpy() for run in spikes_TN.split(steps_in_run(spikes_TN.shape[1])))
