"""A layer whose results are compared across threads and processes."""

import torch
from support.cuba_cases import Layer, plain_layer
from support.cuba_gradients import LEARNT

from netdesc.kernels import operators


def layer_of(density: float, batch: int = 2, neurons: int = 70) -> Layer:
    decays = torch.rand(2, neurons, generator=torch.Generator().manual_seed(1)).numpy()
    return plain_layer(
        20, steps=50, batch=batch, neurons=neurons, density=density,
        current_decay=decays[0], voltage_decay=decays[1],
    )  # fmt: skip


def all_results(layer: Layer) -> list[torch.Tensor]:
    """The results of forward pass, losses and backward pass of a layer."""
    tensors = layer.tensors(*LEARNT)
    out, counts = layer.forward("cpu", tensors)
    target = torch.zeros_like(out)
    filters = (0.6, 2, 100), (0.99, 3, 10)
    losses = [operators.spike_time(out, target, *each, True)[0] for each in filters]
    sum(losses).backward()
    return [out, counts, *losses, *(tensors[name].grad for name in LEARNT)]
