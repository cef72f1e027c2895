"""The loss of an output that never spikes: what a network must beat to have learned anything."""

from __future__ import annotations

import torch

from netdesc.graph import SpikeTime
from netdesc.training.batches import Batches
from netdesc.training.measure import loss_weight
from netdesc.training.setup import Setup


def silent_losses(job: Setup) -> dict[str, float]:
    """By the names of ``metrics.jsonl``; empty where the loss compares no spike trains."""
    if not isinstance(job.graph.loss, SpikeTime):
        return {}
    losses = {"loss": _silent_loss(job, job.train)}
    if job.validation is not None:
        losses["validation_loss"] = _silent_loss(job, job.validation)
    return losses


@torch.no_grad()
def _silent_loss(job: Setup, batches: Batches) -> float:
    total = torch.zeros((), device=batches.device)
    for batch in batches.in_order():
        value = job.loss(torch.zeros_like(batch.target), batch.target)
        total += value * loss_weight(job.graph, batch, len(batches.samples))
    return total.item()
