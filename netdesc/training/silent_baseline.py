"""The loss of an output that never spikes: what a network must beat to have learned anything."""

from __future__ import annotations

import math

import torch

from netdesc.graph import SpikeTime
from netdesc.training.data import Batch
from netdesc.training.job import Job
from netdesc.training.loop import Divergence
from netdesc.training.measure import measure
from netdesc.training.score import Tally


def silent_losses(job: Job) -> dict[str, float]:
    """By the names of ``metrics.jsonl``; empty where the loss compares no spike trains.

    Divergence where a loss is beyond 32 bits.
    """
    if not isinstance(job.graph.loss, SpikeTime):
        return {}

    def judge(batch: Batch, _: Tally | None) -> torch.Tensor:
        target = batch.target
        return job.loss(torch.zeros_like(target), target)

    losses: dict[str, float] = {}
    for name, batches in {"loss": job.train, "validation_loss": job.validation}.items():
        if batches is None:
            continue
        few = batches.few_at_once(job.graph)
        losses[name], _ = measure(job.graph, job.network, judge, few, None)
        if not math.isfinite(losses[name]):
            fault = f"the loss of an output that never spikes is {losses[name]}"
            raise Divergence(-1, f"{fault}; lower loss.filter_order or loss.time_constant_ms")
    return losses
