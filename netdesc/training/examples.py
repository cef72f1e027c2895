"""Batches as a chain on the CPU engine reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import nn

from netdesc.graph.one_go import Wiring
from netdesc.kernels.spike_words import SpikeWords
from netdesc.losses import SpikeTime
from netdesc.modules import Network
from netdesc.training.data import Batch

if TYPE_CHECKING:
    from netdesc.kernels.cpu.chain import Distance, Examples


class BatchExamples:
    """For the chain that a network is.

    They are worked out once for a batch: a single one of everything is the same in every epoch.
    Targets are read where the ``loss`` compares with them.
    """

    def __init__(self, loss: nn.Module | None, wiring: Wiring, network: Network) -> None:
        from netdesc.kernels.cpu import chain  # loads Numba: others do without

        self._examples = chain.examples
        self._compares = isinstance(loss, SpikeTime)
        self._neurons = sum(len(block.synapse.weight) for _, block in network.blocks())
        self._sums = wiring.sums_up_input
        self._known: WeakKeyDictionary[Batch, Examples] = WeakKeyDictionary()

    def of(self, batch: Batch) -> Examples:
        known = self._known.get(batch)
        if known is None:
            inputs = by_neurons(batch.inputs)
            target = by_neurons(batch.wanted) if self._compares else None
            known = self._examples(inputs, target, self._neurons, self._sums)
            self._known[batch] = known
        return known


def distance_of(loss: SpikeTime) -> Distance:
    """The loss as a chain takes it."""
    from netdesc.kernels.cpu import chain

    return chain.Distance((loss.decay, loss.order, loss.length), loss.mean)


def by_neurons(given: torch.Tensor | SpikeWords) -> torch.Tensor | SpikeWords:
    """As [steps, batch, neurons]; words have no need to be."""
    return given if isinstance(given, SpikeWords) else given.flatten(2)
