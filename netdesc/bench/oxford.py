"""Trains the Oxford task with slayer (lava-dl), with netdesc's input spikes and initial weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc.api.compile import compile
from netdesc.bench.epochs import Report, Timing
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import run
from netdesc.description import load
from netdesc.graph import SpikeTime, value_range
from netdesc.training.batches import Batches
from netdesc.training.samples import SampleSpec
from netdesc.training.splits import read_splits

PEER = "lava-dl"
WARM_UP = 2
"""The number of slayer's epochs at the start that are not timed."""


@dataclass(frozen=True)
class SlayerResult:
    """The measurement of slayer; fields after ``reason`` are None unless ``status`` is ``done``.

    ``ratio`` is slayer's median time of an epoch divided by netdesc's median. ``first_losses`` are
    the losses of netdesc and slayer before training, equal if both compute the same network.
    """

    status: str
    reason: str
    epoch: Timing | None = None
    epochs: int | None = None
    ratio: float | None = None
    first_losses: tuple[float, float] | None = None
    best_loss: float | None = None
    spike_rates: list[float] | None = None
    peak_bytes: int | None = None
    what: str | None = None
    versions: dict[str, str] | None = None
    device: str | None = None
    threads: int | None = None


def train_with_slayer(
    file: Path, report: Report, epochs: int, device: str, interpreters: Mapping[str, str]
) -> SlayerResult:
    """Trains the network of ``file`` with slayer and compares it with netdesc's ``report``.

    The network must be a chain of dense CUBA layers with spike-time loss and Adam.
    """
    work, first_loss = _work(file, epochs, device)
    answer = run(PEER, work, interpreters[PEER])
    if answer.status != "done":
        return SlayerResult(answer.status, answer.reason)
    result = answer.result
    epoch = Timing.from_seconds("epoch", result["seconds"])
    copied = ("spike_rates", "peak_bytes", "what", "versions", "device", "threads")
    return SlayerResult(
        answer.status,
        answer.reason,
        epoch,
        epochs=len(result["seconds"]),
        ratio=epoch.median_ms / report.epoch.median_ms,
        first_losses=(first_loss, result["losses"][0]),
        best_loss=min(result["losses"]),
        **{name: result[name] for name in copied},
    )


def _work(file: Path, epochs: int, device: str) -> tuple[Work, float]:
    """Returns settings and arrays for slayer, and netdesc's loss before training."""
    description = load(file)
    compiled = compile(description)
    graph, optimizer = compiled.graph, description.document.training.optimizer
    assert isinstance(graph.loss, SpikeTime)
    splits = read_splits(description, SampleSpec.of(graph), warn=lambda _: None)
    (batch,) = Batches(splits.train, None, torch.device("cpu"), seed=0).in_order()
    with torch.no_grad():
        first_loss = compiled.loss(compiled.model(batch.input_TBN), batch.target).item()
    settings = {
        "task": "oxford",
        "device": device,
        "warm_up": WARM_UP,
        "epochs": epochs,
        "neurons": [
            {name: value_range(value)[0] for name, value in layer.neuron.values().items()}
            | {"requires_grad": bool(layer.neuron.learn)}
            for layer in graph.neuron_layers
        ],
        "loss": {
            "time_constant": graph.loss.time_constant_ms / graph.step_ms,
            "length": graph.loss.filter_steps,
            "filter_order": graph.loss.filter_order,
        },
        "optimizer": {"lr": optimizer.learning_rate, "weight_decay": optimizer.weight_decay},
    }
    spikes = {"input": batch.input_TBN.numpy() != 0, "target": batch.target.numpy() != 0}
    weights = {
        f"weight_{number}": block.synapse.parts[0].weight.detach().numpy()
        for number, (_, block) in enumerate(compiled.model.blocks())
    }
    return Work(settings, spikes, weights), first_loss
