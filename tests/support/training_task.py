"""A small spike-matching task for the tests of training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.modules_samples import dense, graph
from torch import nn

from netdesc.api.load import load
from netdesc.description import Description
from netdesc.events import Event, write_events
from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.training import loop
from netdesc.training.outcome import Outcome
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train as train_network

STEPS, INPUTS, OUTPUTS = 40, 12, 6


def write_task(folder: Path, pairs: int = 1, dropout: float = 0.0, **training: Any) -> Path:
    """Writes event files and a document into ``folder`` and returns the document's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    train = []
    for number in range(pairs):
        pair = {}
        for role, neurons, count in (("input", INPUTS, 60), ("target", OUTPUTS, 30)):
            name = f"{role}{number}.bs1"
            x = rng.integers(0, neurons, count).astype(np.int32)
            t = np.sort(rng.integers(0, STEPS, count)).astype(np.float64)
            write_events(folder / name, Event(x, None, np.zeros(count, np.int32), t))
            pair[role] = {"path": name}
        train.append(pair)
    neuron = {"type": "cuba", "threshold": 0.1, "current_decay": 1.0, "voltage_decay": 0.1}
    layer = {"type": "dense", "neuron": "cuba", "weight_scale": 1}
    document = {
        "format": 1,
        "name": "tiny",
        "time": {"steps": STEPS},
        "data": {"type": "spike_files", "train": train},
        "input": {"shape": [INPUTS]},
        "neurons": {"cuba": neuron | {"dropout": dropout}},
        "layers": [
            {"name": "hidden", "units": 16, **layer},
            {"name": "output", "units": OUTPUTS, **layer},
        ],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0, "filter_order": 2},
        "training": {"epochs": 6, "optimizer": {"type": "adam", "learning_rate": 0.01}} | training,
    }
    path = folder / "tiny.json"
    path.write_text(json.dumps(document))
    return path


def train(description: Description | None = None, **options: Any) -> Outcome:
    """Trains without the report, which the public function writes afterwards."""
    return train_network(description, TrainingOptions(**options))


def train_task(
    folder: Path, pairs: int = 1, dropout: float = 0.0, options: Any = None, **training: Any
) -> Outcome:
    """Trains the small task of ``folder`` with some settings, in ``folder / "run"``."""
    path = write_task(folder / "task", pairs, dropout, **training)
    return train(load(path), **{"run_dir": folder / "run", "progress": "quiet"} | (options or {}))


def at_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int, act: Callable[[], None]) -> None:
    """Calls ``act`` when this epoch of the next run begins."""
    set_rate = loop.set_learning_rate
    epochs = iter(range(10**6))

    def watched(*arguments: Any) -> None:
        set_rate(*arguments)
        if next(epochs) == epoch:
            act()

    monkeypatch.setattr(loop, "set_learning_rate", watched)


def weights_of(run: Path) -> list[bytes]:
    """The bytes of the files of the last and the best weights."""
    return [(run / f"checkpoints/{name}.safetensors").read_bytes() for name in ("last", "best")]


def read_metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def untimed_metrics(run: Path) -> list[dict[str, Any]]:
    return [row | {"seconds": 0} for row in read_metrics(run)]


def read_record(run: Path) -> dict[str, Any]:
    return json.loads((run / "run.json").read_text())


class Block(nn.Module):
    """A layer whose parameters have the names of real layers."""

    def __init__(self) -> None:
        super().__init__()
        self.synapse = nn.Module()
        self.synapse.weight = nn.Parameter(torch.randn(5, 3))
        self.neuron = nn.Module()
        self.neuron.current_decay = nn.Parameter(torch.tensor(0.5))
        self.counts = LayerCounts(torch.tensor([0, 0, 0, 3]))  # the last one counts spikes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.synapse.weight.T * self.neuron.current_decay


def small_network() -> nn.Module:
    """Two layers with fixed weights."""
    torch.manual_seed(0)
    root = nn.Module()
    root.layers = nn.ModuleDict({"first": Block(), "second": Block()})
    root.graph = graph(dense("first", 5), dense("second", 5), shape=(3,))
    return root
