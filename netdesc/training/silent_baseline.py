"""The loss of an output that never spikes: what a network must beat to have learned anything."""

from __future__ import annotations

import math

import torch

from netdesc.graph import SpikeTime
from netdesc.training.batches import Batches
from netdesc.training.loop import Divergence
from netdesc.training.setup import Setup


def silent_losses(setup: Setup) -> dict[str, float]:
    """The losses of a silent output, by their names in ``metrics.jsonl``.

    Empty where the loss does not compare spike trains. Divergence where a loss exceeds 32 bits.
    """
    if not isinstance(setup.graph.loss, SpikeTime):
        return {}
    losses: dict[str, float] = {}
    for name, batches in {"loss": setup.train, "validation_loss": setup.validation}.items():
        if batches is None:
            continue
        losses[name] = _silent_loss(setup, batches)
        if not math.isfinite(losses[name]):
            fault = f"the loss of an output that never spikes is {losses[name]}"
            raise Divergence(-1, f"{fault}; lower loss.filter_order or loss.time_constant_ms")
    return losses


@torch.no_grad()
def _silent_loss(setup: Setup, batches: Batches) -> float:
    """The loss of a silent output over all batches."""
    total, reduction = torch.zeros((), device=batches.device), setup.graph.loss.reduction
    for batch in batches.in_order():
        value = setup.loss(torch.zeros_like(batch.target), batch.target)
        total += value * batch.loss_weight(reduction, len(batches.samples))
    return total.item()
