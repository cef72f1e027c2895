"""A layer whose results are compared across threads and processes."""

from __future__ import annotations

import torch
from support.cuba_cases import Layer, plain_layer

from netdesc.kernels import operators

LEARNT = ("spikes", "weight", "current_decay", "voltage_decay")


def layer_of(density: float, batch: int = 2, neurons: int = 70) -> Layer:
    own = torch.rand(2, neurons, generator=torch.Generator().manual_seed(1)).numpy()
    return plain_layer(
        20, steps=50, batch=batch, neurons=neurons, density=density,
        current_decay=own[0], voltage_decay=own[1],
    )  # fmt: skip


def everything(layer: Layer) -> list[torch.Tensor]:
    """What forward pass, loss and backward pass of a layer give."""
    made = layer.tensors(*LEARNT)
    out, voltage, notes = layer.forward("cpu", made)
    target = torch.zeros_like(out)
    losses = [operators.spike_time(out, target, *f)[0] for f in ((0.6, 2, 100), (0.99, 3, 10))]
    sum(losses).backward()
    current = operators.leaky(layer.tensors()["spikes"], torch.tensor(0.3))
    return [out, voltage, notes, current, *losses, *(made[name].grad for name in LEARNT)]
