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


@torch.no_grad()
def measure(
    graph: Graph,
    network: nn.Module,
    loss: nn.Module,
    batches: Batches,
    tally: Tally | None,
    watch: Callable[[Batch, Tensor], None] = lambda batch, output_TBN: None,
) -> tuple[float, Score | None]:
    """Loss and score over all samples in order, without dropout, with one wait for the device.

    ``watch`` is called with every batch and its output.
    """
    was_training = network.training
    network.eval()
    total = torch.zeros(1, device=batches.device)
    for batch in batches.in_order():
        output_TBN = network(batch.input_TBN)
        share = loss_share(graph, batch, len(batches.samples))
        total += loss(output_TBN, batch.target) * share
        if tally is not None:
            tally.add(output_TBN, batch.target)
        watch(batch, output_TBN)
    network.train(was_training)
    if tally is None:
        return total.item(), None
    value, *counts = torch.cat([total, tally.take()]).tolist()
    return value, tally.score(counts)
