"""What the layers of a network read: the input, another layer, or the sum of some of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from netdesc.kernels.cpu.arrays import array_of, rows_of
from netdesc.kernels.cpu.bit_rows import counts_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import count
from netdesc.kernels.cpu.folds import Added, add_up
from netdesc.kernels.cpu.sources import Source, source_of, source_of_sum
from netdesc.kernels.cpu.trains import Spikes, SpikeSum, SpikeTrains, Sum
from netdesc.kernels.spike_words import SpikeWords


@dataclass(frozen=True, eq=False)
class Counted:
    """Spike trains, or a sum of some, and how many spikes there are in them."""

    trains: Spikes
    spikes: int


_RUN = 1 << 18
"""Numbers of all summands that are floats at a time: 1 MB."""

Summand = Counted | np.ndarray
"""Spikes, or an input that is none: its rows [steps · batch, inputs]."""


def summand_of(input_TBI: torch.Tensor | SpikeWords) -> Summand:
    if isinstance(input_TBI, SpikeWords):
        spikes = int(counts_of(input_TBI).sum())
        return Counted(SpikeSum.of_words(input_TBI), spikes)
    trains, rows = SpikeTrains.of(array_of(input_TBI)), rows_of(input_TBI)
    return rows if trains is None else Counted(trains, count(rows))


Terms = Added[int]
"""What is added up: numbers, the input's being −1, and sums that are made before they are added."""


class Readings:
    """What there is to read so far: the input, number −1, and what layers have handed out.

    ``source`` is the input's own, ``summand`` the input where it is part of a sum, both of so many
    steps and samples.
    """

    def __init__(self, source: Source, summand: Summand | None, steps: int, batch: int) -> None:
        self._steps, self._batch = steps, batch
        self._terms: dict[tuple[int | Terms, ...], Terms] = {}
        """Of equal parts there is one alone."""
        self._made: dict[Terms, Source] = {self._terms_of((-1,)): source}
        self._handed: dict[int, Counted | Terms] = {}
        """By layers, or what a view adds up."""
        self._summand = summand

    def add(self, number: int, trains: SpikeTrains, spikes: int) -> None:
        """What a layer has handed out."""
        self._handed[number] = Counted(trains, spikes)

    def add_view(self, number: int, read: tuple[int, ...]) -> None:
        """This is no layer, but hands on the sum of what has those numbers."""
        self._handed[number] = self._terms_of(read)

    def source(self, read: tuple[int, ...]) -> Source:
        """The sum of what has these numbers, as synapses read it."""
        terms = self._terms_of(read)
        if terms not in self._made:
            self._made[terms] = self._sum(terms)
        return self._made[terms]

    def summed(self, read: tuple[int, ...]) -> Sum:
        """The same for who looks at numbers."""
        terms = self._terms_of(read)
        counted = self._counted(terms)
        if counted is not None:
            return _sum_of(counted)
        floats = self._rows(terms).reshape(self._steps, self._batch, -1)
        counts = SpikeSum.of_counts(floats)
        return floats if counts is None else counts

    def _terms_of(self, read: tuple[int, ...]) -> Terms:
        """With what a view adds up in its place: in a sum of its own, unless that comes first."""
        parts: tuple[int | Terms, ...] = ()
        for number in read:
            handed = None if number < 0 else self._handed[number]
            if not isinstance(handed, Added):
                parts = (*parts, number)
            else:
                parts = (*parts, handed) if parts else handed.parts
        return self._terms.setdefault(parts, Added(parts))

    def _sum(self, terms: Terms) -> Source:
        counted = self._counted(terms)
        if counted is not None:
            return source_of_sum(_sum_of(counted), sum(each.spikes * n for each, n in counted))
        floats = self._rows(terms).reshape(self._steps, self._batch, -1)
        return source_of(torch.from_numpy(floats), math.inf)

    def _rows(self, terms: Terms) -> np.ndarray:
        """The sum as floats [steps · batch, neurons], added up from the first to the last.

        So does torch. Of spikes alone it is the same in any order.
        """
        given = self._input_rows()
        rows = take(given.shape, np.float32)
        length = max(1, _RUN // (given.shape[1] * len(terms.times)))
        for first in range(0, len(rows), length):
            last = min(len(rows), first + length)
            values = {number: self._floats(number, first, last) for number in terms.times}
            rows[first:last] = add_up(terms, values)
        return rows

    def _floats(self, number: int, first: int, last: int) -> np.ndarray:
        """Rows of a summand, to be written to."""
        summand = self._summand_of(number)
        if isinstance(summand, Counted):
            return SpikeSum.of([summand.trains]).floats(take, first, last)
        return summand[first:last].copy()

    def _counted(self, terms: Terms) -> list[tuple[Counted, int]] | None:
        """All spikes that are added up, and how often; None where there is more to add up."""
        summands = [(self._summand_of(number), times) for number, times in terms.times.items()]
        counted = [(each, times) for each, times in summands if isinstance(each, Counted)]
        return counted if len(counted) == len(summands) else None

    def _summand_of(self, number: int) -> Summand:
        if number >= 0:
            handed = self._handed[number]
            assert isinstance(handed, Counted), "what a view adds up has taken its place"
            return handed
        assert self._summand is not None, "no layer was said to sum up the input"
        return self._summand

    def _input_rows(self) -> np.ndarray:
        """Of an input that is no spikes."""
        assert isinstance(self._summand, np.ndarray)
        return self._summand


def _sum_of(counted: Sequence[tuple[Counted, int]]) -> SpikeSum:
    return SpikeSum.of([each.trains for each, _ in counted], [times for _, times in counted])
