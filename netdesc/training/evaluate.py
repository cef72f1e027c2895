"""Computes loss and score of a network on samples, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from netdesc.data.batches import Batch, Batches
from netdesc.graph.nodes import Signal
from netdesc.losses import TotalLoss
from netdesc.modules import Network
from netdesc.training.confusion_counter import Counter, Score

OnBatch = Callable[[Batch, Mapping[Signal, Tensor]], None]
"""Function of a batch and of what ``Network.signals`` returns for it."""


@torch.no_grad()
def measure(
    network: Network,
    loss: TotalLoss,
    batches: Batches,
    counter: Counter | None = None,
    on_batch: OnBatch | None = None,
) -> tuple[float, Score | None]:
    """Computes loss and score of the network, in evaluation mode, over all samples in order.

    The score is None without ``counter``. The device is waited for only once, at the end.
    """
    total, reduction = torch.zeros(1, device=batches.device), network.graph.loss.reduction
    with network.evaluating():
        for batch in batches.in_order():
            network.reset_state()
            signals = network.signals(batch.input_TBN)
            value = loss(signals, batch.target)
            total += value * batch.loss_weight(reduction, len(batches.samples))
            if counter is not None:
                counter.add(signals[counter.signal], batch.target)
            if on_batch is not None:
                on_batch(batch, signals)
    if counter is None:
        return total.item(), None
    value, *counts = torch.cat([total, counter.pop_counts()]).tolist()
    return value, counter.score(counts)
