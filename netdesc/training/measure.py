"""How well a network does on some samples, without training on them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdesc.graph import Graph
from netdesc.training.data import Batch, Batches
from netdesc.training.score import Score, Tally


def loss_share(graph: Graph, batch: Batch, samples: int) -> float:
    """The factor on a batch's loss in the loss over ``samples``: 1 where losses add up."""
    return batch.size / samples if graph.loss.reduction == "mean" else 1.0


Judge = Callable[[Batch, Tally | None], Tensor]
"""From a batch to its loss; predictions are added to a tally, if there is one."""

Watch = Callable[[Batch, Tensor], None]


def by_network(network: nn.Module, loss: nn.Module, watch: Watch | None = None) -> Judge:
    """One operation after the other. ``watch`` is called with every batch and its output."""

    def judge(batch: Batch, tally: Tally | None) -> Tensor:
        output_TBN = network(batch.input_TBN)
        value = loss(output_TBN, batch.target)
        if tally is not None:
            tally.add(output_TBN, batch.target)
        if watch is not None:
            watch(batch, output_TBN)
        return value

    return judge


@torch.no_grad()
def measure(
    graph: Graph, network: nn.Module, judge: Judge, batches: Batches, tally: Tally | None
) -> tuple[float, Score | None]:
    """Loss and score over all samples in order, without dropout, with one wait for the device."""
    was_training = network.training
    network.eval()
    total = torch.zeros(1, device=batches.device)
    for batch in batches.in_order():
        total += judge(batch, tally) * loss_share(graph, batch, len(batches.samples))
        del batch  # or it would be there beside the next one
    network.train(was_training)
    if tally is None:
        return total.item(), None
    value, *counts = torch.cat([total, tally.take()]).tolist()
    return value, tally.score(counts)
