"""Computes the loss of an output that never spikes; a trained network should have a lower loss."""

from __future__ import annotations

import math

import torch

from netdesc.training.loop import Divergence
from netdesc.training.setup import Setup


@torch.no_grad()
def silent_losses(setup: Setup) -> dict[str, float]:
    """Returns the loss of a silent output on each split, named as in ``metrics.jsonl``.

    There are none unless the network learns target spikes. Divergence if one exceeds float32.
    """
    if setup.graph.loss.learns_from != "target spikes":
        return {}
    losses: dict[str, float] = {}
    for name, batches in {"loss": setup.train, "validation_loss": setup.validation}.items():
        if batches is None:
            continue
        total = torch.zeros((), device=batches.device)
        for batch in batches.in_order():
            silence = torch.zeros_like(batch.target)
            value = setup.loss(dict.fromkeys(setup.graph.signals, silence), batch.target)
            total += value * batch.loss_weight(setup.graph.loss.reduction, len(batches.samples))
        losses[name] = total.item()
        if not math.isfinite(losses[name]):
            cause = f"the loss of an output that never spikes is {losses[name]}"
            raise Divergence(-1, f"{cause}; lower loss.filter_order or loss.time_constant_ms")
    return losses
