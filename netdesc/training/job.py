"""Everything that the loop works on, built from a description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from netdesc.description import Description
from netdesc.description.models import Training
from netdesc.graph import Graph, build_graph
from netdesc.losses import build_loss
from netdesc.modules import Network, build
from netdesc.training.data import Batch, Batches, Frame, Sample, SpikeFiles, split
from netdesc.training.optimizer import build_optimizer
from netdesc.training.schedule import Schedule, build_schedule
from netdesc.training.weights import Loader, load_weights


@dataclass(frozen=True, eq=False)
class Job:
    graph: Graph
    training: Training
    network: Network
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Schedule
    train: Batches
    validation: Batches | None
    device: torch.device
    digests: dict[Path, str]
    """SHA-256 of every file that was read."""

    def loss_share(self, batch: Batch, samples: int) -> float:
        """The factor on a batch's loss in the loss over ``samples``: 1 where losses add up."""
        return batch.size / samples if self.graph.loss.reduction == "mean" else 1.0

    def engines(self) -> list[dict[str, str]]:
        """For every layer the engine and the path that it took; empty before the first epoch."""
        return [
            {"layer": layer, "engine": engine, "path": path}
            for layer, engine, path in self.network.engine_report()
        ]


def prepare(
    description: Description,
    device: torch.device,
    readers: Mapping[str, Loader],
    warn: Callable[[str], None],
) -> Job:
    """Reads the data, builds network, loss and optimizer on ``device``. TrainingError."""
    document = description.document
    graph = build_graph(document)
    frame = Frame(graph.steps, graph.step_ms, graph.input_shape, graph.output_shape)
    files = SpikeFiles(frame, description.resolve, warn)
    training = document.training
    samples = files.read(document.data.train)
    validation = files.read(document.data.validation)
    samples, set_aside = split(samples, training.validation_split, training.seed)
    validation += set_aside

    network = build(graph, seed=training.seed)
    if document.weights is not None:
        path = description.resolve(document.weights.path)
        files.check(path, document.weights.sha256)
        load_weights(path, network, readers)
    network.to(device)

    def batches(of: list[Sample]) -> Batches:
        return Batches(of, frame, training.batch_size, device)

    return Job(
        graph=graph,
        training=training,
        network=network,
        loss=build_loss(graph),
        optimizer=build_optimizer(training.optimizer, network),
        rate=build_schedule(training),
        train=batches(samples),
        validation=batches(validation) if validation else None,
        device=device,
        digests=files.digests,
    )


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds torch's generators for the block and puts the caller's states back after it."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
