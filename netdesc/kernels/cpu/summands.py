"""What the layers of a network read: the input, another layer, or the sum of some of these."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from netdesc.kernels.cpu.arrays import array_of, rows_of
from netdesc.kernels.cpu.bit_rows import counts_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import count
from netdesc.kernels.cpu.sources import Source, source_of, source_of_sum
from netdesc.kernels.cpu.trains import SpikeTrains, rows_of_sum
from netdesc.kernels.spike_words import SpikeWords


@dataclass(frozen=True, eq=False)
class Counted:
    """Spike trains, and how many spikes there are in them."""

    trains: SpikeTrains
    spikes: int


Summand = Counted | np.ndarray
"""Spikes, or an input that is none: its rows [steps · batch, inputs]."""


def summand_of(input_TBI: torch.Tensor | SpikeWords) -> Summand:
    if isinstance(input_TBI, SpikeWords):
        spikes = int(counts_of(input_TBI).sum())
        return Counted(SpikeTrains.of_words(input_TBI), spikes)
    trains, rows = SpikeTrains.of(array_of(input_TBI)), rows_of(input_TBI)
    return rows if trains is None else Counted(trains, count(rows))


class Readings:
    """What there is to read so far: the input, number −1, and what layers have handed out.

    ``source`` is the input's own, ``summand`` the input where it is part of a sum, both of so many
    steps and samples.
    """

    def __init__(self, source: Source, summand: Summand | None, steps: int, batch: int) -> None:
        self._steps, self._batch = steps, batch
        self._made: dict[tuple[int, ...], Source] = {(-1,): source}
        self._summand = summand
        self._handed = list[Counted | tuple[int, ...]]()
        """By layers, or the numbers of what a view adds up."""

    def add(self, trains: SpikeTrains, spikes: int) -> None:
        """What the next layer has handed out."""
        self._handed.append(Counted(trains, spikes))

    def add_view(self, read: tuple[int, ...]) -> None:
        """What is next is no layer, but hands on the sum of what has these numbers."""
        self._handed.append(self._expanded(read))

    def source(self, read: tuple[int, ...]) -> Source:
        """The sum of what has these numbers, as synapses read it."""
        read = self._expanded(read)
        if read not in self._made:
            self._made[read] = self._sum(read)
        return self._made[read]

    def _sum(self, read: tuple[int, ...]) -> Source:
        summands = [self._summand_of(number) for number in read]
        counted = [each for each in summands if isinstance(each, Counted)]
        if len(counted) == len(summands):
            spikes = sum(each.spikes for each in counted)
            return source_of_sum([each.trains for each in counted], spikes)
        return source_of(_whole(summands, self._steps, self._batch), math.inf)

    def _expanded(self, read: tuple[int, ...]) -> tuple[int, ...]:
        """The numbers of layers and input alone."""
        found: list[int] = []
        for number in read:
            handed = None if number < 0 else self._handed[number]
            found += handed if isinstance(handed, tuple) else (number,)
        return tuple(found)

    def _summand_of(self, number: int) -> Summand:
        if number >= 0:
            handed = self._handed[number]
            assert isinstance(handed, Counted), "views have been expanded"
            return handed
        assert self._summand is not None, "no layer was said to sum up the input"
        return self._summand


def _whole(summands: list[Summand], steps: int, batch: int) -> torch.Tensor:
    """Their sum [steps, batch, neurons], added up from the first to the last, as torch does.

    One of them at least is an input that is no spikes.
    """
    (like, *_) = [each for each in summands if isinstance(each, np.ndarray)]
    rows = take(like.shape, np.float32)
    for number, summand in enumerate(summands):
        part = summand
        if isinstance(summand, Counted):
            part = rows_of_sum([summand.trains]).floats()
        if number:
            rows += part
        else:
            rows[:] = part
    return torch.from_numpy(rows.reshape(steps, batch, -1))
