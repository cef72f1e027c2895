"""The loss of an output that never spikes: what a network must beat to have learned anything."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from netdesc.graph import SpikeTime
from netdesc.training.data import Batches
from netdesc.training.job import Job
from netdesc.training.measure import loss_share

_CELLS = 1 << 20
"""Of targets that are there at the same time on a CPU, unless a single sample has more."""


def silent_losses(job: Job) -> dict[str, float]:
    """By the names of ``metrics.jsonl``; empty where the loss compares no spike trains."""
    if not isinstance(job.graph.loss, SpikeTime):
        return {}
    losses = {"loss": _silent_loss(job, job.train)}
    if job.validation is not None:
        losses["validation_loss"] = _silent_loss(job, job.validation)
    return losses


@torch.no_grad()
def _silent_loss(job: Job, batches: Batches) -> float:
    total = torch.zeros((), device=batches.device)
    if batches.device.type == "cpu":
        graph, size = job.graph, batches.batch_size or len(batches.samples)
        few = max(1, _CELLS // (graph.steps * math.prod(graph.output_shape)))
        batches = replace(batches, batch_size=min(few, size))
    for batch in batches.in_order():
        share = loss_share(job.graph, batch, len(batches.samples))
        total += job.loss(torch.zeros_like(batch.target), batch.target) * share
    return total.item()
