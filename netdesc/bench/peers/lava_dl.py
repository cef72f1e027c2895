"""Measures slayer (lava-dl): its blocks ``Dense`` and ``Conv`` of CUBA neurons, as in netdesc.

Spikes in slayer are [batch, neurons, steps], and weights are [neurons, inputs, 1, 1, 1].
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import time
from typing import Any

import lava.lib.dl.slayer as slayer
import torch
from torch import Tensor

from netdesc.bench.peers import torch_side
from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.work import Work


def _batch_first(values_TBN: Tensor) -> Tensor:
    return values_TBN.permute(1, 2, 0)


def _block(neuron: dict[str, Any], weight: Tensor) -> Any:
    """Builds a block from weights [neurons, inputs] or [channels, channels, height, width]."""
    outputs, inputs, *kernel = weight.shape
    options: dict[str, Any] = {"weight_norm": False, "delay": False}
    if kernel:
        block = slayer.block.cuba.Conv(neuron, inputs, outputs, tuple(kernel), **options)
    else:
        block = slayer.block.cuba.Dense(neuron, inputs, outputs, **options)
    block.to(weight.device)
    block.synapse.weight.data = weight.reshape(outputs, inputs, *(kernel or (1, 1)), 1).clone()
    return block


def layer(work: Work) -> TimedLayer:
    weight, shape = torch_side.tensor(work.numbers["weight"], work), work.settings["input_shape"]
    block = _block(work.settings["neuron"], weight)

    def forward(spikes: Tensor) -> Tensor:
        return block(spikes.unflatten(1, shape)).flatten(1, -2)

    return torch_side.layer(
        f"slayer.block.cuba.{type(block).__name__} (8-bit weights, one step of delay)",
        work,
        forward,
        [block.synapse.weight],
        _batch_first,
    )


def oxford(work: Work) -> dict[str, Any]:
    """Trains dense CUBA layers as in slayer's tutorial, with the initial weights of ``work``.

    If the settings of a layer's neurons contain ``requires_grad``, slayer learns both decays. An
    epoch consists of forward pass, loss, backward pass and the optimizer's step. Returns an object
    for JSON with seconds, losses, spike rates and peak memory.
    """
    settings = work.settings
    spikes, target = (
        _batch_first(torch_side.tensor(work.dense(name), work)).contiguous()
        for name in ("input", "target")
    )
    blocks = torch.nn.ModuleList(
        _block(neuron, torch_side.tensor(work.numbers[f"weight_{number}"], work))
        for number, neuron in enumerate(settings["neurons"])
    )
    loss_of = slayer.loss.SpikeTime(**settings["loss"], reduction="sum").to(spikes.device)
    optimizer = torch.optim.Adam(blocks.parameters(), **settings["optimizer"])
    seconds: list[float] = []
    losses: list[float] = []
    outputs: list[Tensor] = []

    def epoch() -> None:
        start = time.perf_counter()
        value = spikes
        outputs.clear()
        for block in blocks:
            value = block(value)
            outputs.append(value.detach())
        loss = loss_of(value, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())  # waits for the device
        seconds.append(time.perf_counter() - start)

    def train() -> None:
        for _ in range(settings["epochs"]):
            epoch()

    for _ in range(settings["warm_up"]):  # loads and builds kernels
        epoch()
    outputs.clear()
    optimizer.zero_grad()
    peak = torch_side.peak_bytes_on(spikes.device)(train)
    return {
        "what": "slayer.block.cuba.Dense twice, slayer.loss.SpikeTime, torch.optim.Adam",
        "device": "cpu" if spikes.device.type == "cpu" else torch.cuda.get_device_name(),
        "threads": torch.get_num_threads(),
        "seconds": seconds[settings["warm_up"] :],
        "losses": losses,
        "spike_rates": [each.mean().item() for each in outputs],
        "peak_bytes": peak,
    }
