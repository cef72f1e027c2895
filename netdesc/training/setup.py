"""Builds all that the training loop needs from a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from netdesc.description import Description
from netdesc.description.models import Training
from netdesc.graph import Dense, Graph, build_graph
from netdesc.graph.dependencies import needed_for_output
from netdesc.kernels.engine import engine_for
from netdesc.losses import build_classifier, build_loss
from netdesc.modules import Network, build
from netdesc.training.batches import Batches
from netdesc.training.confusion_counter import ConfusionCounter
from netdesc.training.errors import TrainingError
from netdesc.training.file_checksum import check_file
from netdesc.training.optimizer import build_optimizer
from netdesc.training.progress import Scale
from netdesc.training.samples import Samples, SampleSpec
from netdesc.training.schedule import Schedule, build_schedule
from netdesc.training.splits import read_splits
from netdesc.training.weights import Loader, load_weights


@dataclass(frozen=True, eq=False)
class Setup:
    """The network on its device, its data, and what trains and measures it."""

    graph: Graph
    training: Training
    network: Network
    loss: nn.Module
    classifier: nn.Module | None
    optimizer: torch.optim.Optimizer
    rate: Schedule
    train: Batches
    validation: Batches | None
    device: torch.device

    @property
    def scale(self) -> Scale:
        """What losses are divided by for display, so that those of both splits compare."""
        if self.validation is None or self.graph.loss.reduction == "mean":
            return Scale()
        return Scale(len(self.train.samples), len(self.validation.samples))

    def new_counter(self) -> ConfusionCounter | None:
        """A new counter of predictions; None where there are no labels."""
        if self.classifier is None or self.graph.classes is None:
            return None
        return ConfusionCounter(self.classifier, self.graph.classes, self.device)

    def layers(self) -> list[dict[str, Any]]:
        """How each layer was computed in the last pass; empty before the first.

        Peaks are the largest magnitudes of its states, in units of the device (1/4096).
        """
        return [
            {
                "layer": layer.name,
                "engine": layer.engine,
                "path": layer.path,
                "peak_current": layer.peak_current,
                "peak_voltage": layer.peak_voltage,
            }
            for layer in self.network.engine_report()
        ]

    def beyond_device(self) -> list[str]:
        """Layers of which a state exceeded the device's 24 bits in the last pass."""
        return [x.name for x in self.network.engine_report() if x.leaves_device_range]


def prepare(
    description: Description,
    device: torch.device,
    readers: Mapping[str, Loader],
    warn: Callable[[str], None],
) -> Setup:
    """Reads the data, builds network, loss and optimizer on ``device``. TrainingError.

    EngineError where the engine of ``device`` cannot be loaded.
    """
    engine_for(device)  # fails before the run has a folder
    document = description.document
    graph, training = build_graph(document), document.training
    parts = read_splits(description, SampleSpec.of(graph), warn)
    network = build(graph, seed=training.seed)
    needed = needed_for_output(graph)
    if not any(isinstance(layer, Dense) and layer.name in needed for layer in graph.layers):
        raise TrainingError(
            "the output of this network depends on no weights, so there is nothing to train: let "
            'its last layer read a dense one, or be one (see "from")'
        )
    if document.weights is not None:
        path = description.resolve(document.weights.path)
        check_file(path, document.weights.sha256)
        load_weights(path, network, readers)
    network.to(device)
    for _, block in network.blocks():
        block.warns = False  # the metrics show weights that are NaN, and training ends

    def batches(samples: Samples) -> Batches:
        return Batches(samples, training.batch_size, device, training.seed)

    return Setup(
        graph=graph,
        training=training,
        network=network,
        loss=build_loss(graph),
        classifier=None if graph.classifier is None else build_classifier(graph),
        optimizer=build_optimizer(training.optimizer, network),
        rate=build_schedule(training),
        train=batches(parts.train),
        validation=None if parts.validation is None else batches(parts.validation),
        device=device,
    )
