"""The loss of an output that never spikes: what a network must beat to have learned anything."""

from __future__ import annotations

from collections.abc import Callable

import torch

from netdesc.graph import SpikeTime
from netdesc.kernels.cpu.buffers import passing
from netdesc.losses import SpikeTime as SpikeTimeLoss
from netdesc.training.data import Batch, Batches
from netdesc.training.direct import direct_wiring
from netdesc.training.examples import by_neurons, distance_of
from netdesc.training.job import Job
from netdesc.training.measure import loss_share


def silent_losses(job: Job) -> dict[str, float]:
    """By the names of ``metrics.jsonl``; empty where the loss compares no spike trains."""
    if not isinstance(job.graph.loss, SpikeTime):
        return {}
    of_silence = _judge_of_silence(job)
    losses = {"loss": _silent_loss(job, job.train, of_silence)}
    if job.validation is not None:
        losses["validation_loss"] = _silent_loss(job, job.validation, of_silence)
    return losses


def _judge_of_silence(job: Job) -> Callable[[Batch], torch.Tensor]:
    """What the loss makes of silence, instead of an output."""
    loss = job.loss
    if direct_wiring(job.graph, job.device) is None:
        return lambda batch: loss(torch.zeros_like(batch.target), batch.target)
    from netdesc.kernels.cpu.one_way import loss_of_silence  # loads Numba: others do without

    assert isinstance(loss, SpikeTimeLoss), "spike trains are compared"
    return lambda batch: loss_of_silence(distance_of(loss), by_neurons(batch.wanted))


@torch.no_grad()
@passing()
def _silent_loss(job: Job, batches: Batches, of_silence: Callable[[Batch], torch.Tensor]) -> float:
    total = torch.zeros((), device=batches.device)
    for batch in batches.few_at_once(job.graph).in_order():
        total += of_silence(batch) * loss_share(job.graph, batch, len(batches.samples))
    return total.item()
