"""What the shards of a batch measure, joined in their order.

A shard has a row of float64 numbers: its number of samples, the terms of its loss, what its layers
count, its predictions, and the statistics of norms. All processes get the rows of all shards, and
compute the same from them, in the same order.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.modules.norm import MeanNorm
from netdesc.training.evaluate import Counter
from netdesc.training.ranks import tree_sum
from netdesc.training.setup import Setup


class ShardRows:
    """Builds the rows of shards, and joins the rows of a batch.

    From now on, the norms of ``setup.network`` change their running statistics in ``join`` only,
    by those of all shards in order.
    """

    def __init__(self, setup: Setup, counter: Counter | None) -> None:
        self._ranks, self._counter = setup.ranks, counter
        self._blocks = [block for _, block in setup.network.blocks()]
        norms = [block.neuron.norm for block in self._blocks]
        self._statistics = list[tuple[MeanNorm, str]]()
        for norm in (cast(MeanNorm, norm) for norm in norms if norm is not None):
            norm.postponed = {}
            self._statistics += [(norm, name) for name, _ in norm.named_buffers()]
        graph = setup.graph
        self._sizes = [
            1,
            len(graph.losses) + len(graph.regularizers),
            *(len(block.neuron.equations.states) + 2 for block in self._blocks),
            0 if counter is None else len(counter.counts),
            *(getattr(norm, name).numel() for norm, name in self._statistics),
        ]
        self.empty = torch.zeros(sum(self._sizes), dtype=torch.float64, device=setup.device)
        """The row of a shard without samples."""

    def build(self, size: int, terms: Sequence[Tensor], predictions: Tensor | None) -> Tensor:
        """Returns the row of the shard of the last forward pass, which has ``size`` samples.

        ``terms`` are those of its loss, weighted by the shard's share; ``predictions`` are counts
        of the counter.
        """
        parts = [self.empty.new_tensor(size), *(term.detach() for term in terms)]
        for block in self._blocks:
            assert block.counts is not None, "the forward pass sets them"
            parts.append(block.counts.numbers)
        parts += [] if predictions is None else [predictions]
        for norm, name in self._statistics:
            assert norm.postponed is not None, "set above"
            parts.append(norm.postponed[name])
        return torch.cat([part.double().flatten() for part in parts])

    def join(self, rows_by_own_shard: Sequence[Tensor]) -> tuple[int, list[Tensor]]:
        """Joins the rows of a batch. Returns its number of samples, and the terms of its loss.

        Sets the counts of blocks to those of the batch, updates the counter and the norms.
        """
        rows_SK = torch.cat(self._ranks.gather(torch.stack(list(rows_by_own_shard))))
        rows_SK = rows_SK[rows_SK[:, 0] > 0]
        (size,), terms, *totals = tree_sum(rows_SK.unbind()).split(self._sizes)
        columns = iter(rows_SK.split(self._sizes, dim=1)[2:])
        for block, total in zip(self._blocks, totals, strict=False):
            counts_SN = next(columns)
            numbers = [*counts_SN[:, :-2].amax(0), counts_SN[-1, -2], total[-1]]
            block.counts = LayerCounts(torch.stack(numbers).long())
        next(columns)
        if self._counter is not None:
            self._counter.counts += totals[len(self._blocks)]
        for (norm, name), statistics_SC in zip(self._statistics, columns, strict=True):
            for statistic in statistics_SC.float():
                norm.update(name, statistic.view_as(getattr(norm, name)))
        return int(size), [*terms]
