"""Batches as a chain on the CPU engine reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import nn

from netdesc.graph.one_go import Reads
from netdesc.kernels.spike_words import SpikeWords
from netdesc.losses import SpikeTime
from netdesc.training.data import Batch

if TYPE_CHECKING:
    from netdesc.kernels.cpu.chain import Distance, Examples


class BatchExamples:
    """For a chain of so many ``neurons`` and its loss; for ``reads`` see ``graph.one_go``.

    They are worked out once for a batch: a single one of everything is the same in every epoch.
    """

    def __init__(self, loss: nn.Module, reads: Reads, neurons: int) -> None:
        from netdesc.kernels.cpu import chain  # loads Numba: others do without

        self._chain = chain
        self._compares = isinstance(loss, SpikeTime)
        self._neurons = neurons
        self._sums = any(-1 in read and len(read) > 1 for read in reads)
        self._known: WeakKeyDictionary[Batch, Examples] = WeakKeyDictionary()

    def of(self, batch: Batch) -> Examples:
        known = self._known.get(batch)
        if known is None:
            inputs = _by_neurons(batch.inputs)
            target = _by_neurons(batch.wanted) if self._compares else None
            known = self._chain.examples(inputs, target, self._neurons, self._sums)
            self._known[batch] = known
        return known


def distance_of(loss: SpikeTime) -> Distance:
    """The loss as a chain takes it."""
    from netdesc.kernels.cpu import chain

    return chain.Distance((loss.decay, loss.order, loss.length), loss.mean)


def _by_neurons(given: torch.Tensor | SpikeWords) -> torch.Tensor | SpikeWords:
    """Words have no need to be [steps, batch, neurons]."""
    return given if isinstance(given, SpikeWords) else given.flatten(2)
