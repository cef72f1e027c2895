"""The van Rossum distance to a target: what a loss needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.trains import Spikes, SpikeSum, SpikeTrains
from netdesc.kernels.spike_words import SpikeWords


@dataclass(frozen=True)
class Distance:
    """The van Rossum distance to the target; the mean over all values if told.

    ``of_filter`` is decay, order and length (see ``reference.van_rossum.spike_time``).
    """

    of_filter: tuple[float, int, int]
    mean: bool


@dataclass(frozen=True, eq=False)
class Target:
    """What a distance compares with: as it was ``given``, and as ``spikes`` if it is 0, 1, 2, …"""

    given: Tensor | SpikeWords
    spikes: Spikes | None

    @classmethod
    def of(cls, given: Tensor | SpikeWords) -> Target:
        if isinstance(given, SpikeWords):
            is_counted = len(given.words) > 1
            return cls(given, (SpikeSum if is_counted else SpikeTrains).of_words(given))
        values = array_of(given)
        return cls(given, SpikeTrains.of(values) or SpikeSum.of_counts(values))

    def as_floats(self, shape: tuple[int, int, int]) -> Tensor:
        """Of words they are made for whoever asks."""
        given = self.given
        floats = torch.from_numpy(given.dense()) if isinstance(given, SpikeWords) else given
        return floats.reshape(shape)
