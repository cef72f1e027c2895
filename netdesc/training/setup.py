"""What a caller can choose for a training, and the objects that training needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from netdesc.data.batches import Batches
from netdesc.data.memory_data import MemoryData
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.splits import read_splits
from netdesc.description import Description
from netdesc.description.models import Training
from netdesc.description.overrides import Overrides
from netdesc.graph import Graph, build_graph
from netdesc.kernels.engines import engine_for, engine_name
from netdesc.losses import LossFunction, PythonLoss, TotalLoss, build_loss
from netdesc.modules import Network, build
from netdesc.runs.errors import RunError
from netdesc.runs.folder import make_default
from netdesc.runs.run_record import Scale
from netdesc.training.agreement import require_same_data, require_same_start
from netdesc.training.class_weights import fill_class_weights
from netdesc.training.device import require_memory
from netdesc.training.initial_scales import fill_scales, first_samples
from netdesc.training.optimizer import build_optimizer, find_rate
from netdesc.training.progress import Style
from netdesc.training.ranks import ALONE, Ranks
from netdesc.training.schedule import LearningRateSchedule, build_schedule
from netdesc.training.weights import load_initial_weights

Callback = Callable[[dict[str, Any]], object]
"""Called after an epoch with its metrics, losses per sample and epochs from 1. Returns True to end
training, or else False or None."""


@dataclass(frozen=True)
class TrainingOptions:
    """What a caller can choose for a training besides the document.

    ``run_dir`` is the folder of a new run, by default a new one below ``runs``; ``resume`` that of
    an interrupted run. ``resume_or_start`` continues the run in ``run_dir``, if it exists. ``data``
    replaces the data that the document names. Each of ``callbacks`` is called after each epoch.
    Unless ``ignore_memory``, training that needs more memory than is free does not begin. ``loss``
    replaces the main loss of the document. ``log`` names what else gets the metrics. ``overrides``
    change values of a run that is resumed. ``warn`` is called with what a user should know about
    the results. All of ``ranks`` train together. ``is_trial`` says that a sweep compares the run
    with others: its folder gets no activity, findings, test, verification or ``network.net`` before
    ``train.complete`` adds them. With ``counts_spikes``, the spikes of a trial are counted.
    """

    run_dir: str | Path | None = None
    resume_or_start: bool = False
    resume: Path | None = None
    device: str = "auto"
    engine: str = "auto"
    progress: Style = "auto"
    data: MemoryData | None = None
    callbacks: Sequence[Callback] = ()
    ignore_memory: bool = False
    loss: LossFunction | None = None
    log: Sequence[str] = ()
    overrides: Overrides = ()
    warn: Callable[[str], None] = lambda text: None
    ranks: Ranks = ALONE
    is_trial: bool = False
    counts_spikes: bool = False

    def folder_for(self, name: str) -> Path:
        """Returns ``run_dir``, or makes a new folder for the network ``name``."""
        if self.run_dir is not None:
            return Path(self.run_dir)
        return self.ranks.broadcast(make_default(name) if self.ranks.is_first else None)


@dataclass(frozen=True, eq=False)
class Setup:
    """The objects that the training loop needs, on ``device``.

    ``validation`` and ``test`` are None if there are no such samples. ``description`` holds the
    scales of weights that were found, and the metric of the best epoch. ``ranks`` are the processes
    that train together.
    """

    description: Description
    graph: Graph
    training: Training
    network: Network
    loss: TotalLoss
    optimizer: torch.optim.Optimizer
    schedule: LearningRateSchedule
    train: Batches
    validation: Batches | None
    test: Batches | None
    device: torch.device
    ranks: Ranks

    @property
    def best_by(self) -> str:
        """The metric of the best epoch (see ``metrics_file.rank``)."""
        assert self.training.best is not None, "prepare fills it in"
        return self.training.best

    @property
    def loss_name(self) -> str | None:
        """The name of a loss of a Python program; None for the document's own."""
        return None if self.loss.replacement is None else self.loss.replacement.name

    @property
    def samples(self) -> dict[str, int]:
        """The number of samples by part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: len(part.samples) if part else 0 for name, part in parts.items()}

    @property
    def scale(self) -> Scale:
        """The divisors that turn summed losses into losses per sample for display."""
        return Scale.of(self.graph.loss.reduction, self.samples)

    def layer_records(self) -> list[dict[str, Any]]:
        """Describes each layer's last forward pass (see ``LayerReport``) for ``run.json``."""
        return [
            {"layer": each.name, "engine": each.engine, "path": each.path, "peaks": {**each.peaks}}
            for each in self.network.engine_report()
        ]


def prepare(
    description: Description,
    device: torch.device,
    warn: Callable[[str], None] = lambda text: None,
    data: MemoryData | None = None,
    options: TrainingOptions | None = None,
) -> Setup:
    """Reads the data, and builds network, loss and optimizer on ``device``.

    ``warn`` is called with one line for each problem that is not an error. ``data`` replaces the
    data that the document names, ``options.loss`` its main loss. Raises RunError if data or weights
    do not fit, LossError if the loss does not, EngineError if the engine for ``device`` cannot be
    loaded. Unless ``options.ignore_memory``, raises MemoryShortageError if training needs more
    memory than is free. RunError unless all of ``options.ranks`` train the same. Without
    ``options``, memory is not checked.
    """
    options = options or TrainingOptions(ignore_memory=True)
    loss, ranks = options.loss, options.ranks
    engine_for(device)  # raises EngineError before the run's folder is created
    require_same_start(ranks, description, device.type, None if data is None else data.record())
    document, replacement = description.document, None if loss is None else PythonLoss(loss)
    graph, training = build_graph(document), document.training
    splits = read_splits(description, SampleSpec.of(graph), warn, data)
    if not options.ignore_memory:
        require_memory(graph, training, len(splits.train), device, ranks)
    samples = first_samples(splits.train, training.seed)
    engine = "cpu" if options.is_trial and engine_name(device) == "cpu" else "reference"
    description = fill_scales(description, samples, warn, ranks, engine)
    description = fill_class_weights(description, lambda: splits.train.labels, warn)
    description = _with_best(description, splits.validation is not None)
    document = description.document
    graph = replace(build_graph(document), reads_all=loss is not None)
    training = document.training
    network = build(graph, seed=training.seed)
    needed = graph.needed_names
    if not any(layer.name in needed for layer in graph.neuron_layers):
        raise RunError(
            "the output of this network depends on no weights, so there is nothing to train: its "
            'last layer must be a dense one, or read one (see "from")'
        )
    load_initial_weights(description, network, warn)
    if document.weights is not None:
        network.dither(training.seed)
    if training.optimizer.learning_rate is None:
        path = "training", "optimizer", "learning_rate"
        description = description.with_values({path: ranks.broadcast(find_rate(network))}, "found")
        training = description.document.training
    network.to(device)
    for _, block in network.blocks():
        block.warns = False  # the metrics of an epoch detect NaN weights

    section = document.data if data is None else data.settings
    augmentation = () if section is None else section.augmentation
    shards = training.shards
    size = min(training.batch_size or len(splits.train), len(splits.train))

    def batches(samples: Samples) -> Batches:
        # Validation takes no larger shards than training, whose memory was checked.
        return Batches(samples, -(-size // shards), device, training.seed)

    own = ranks.own(shards)
    train = Batches(splits.train, size, device, training.seed, augmentation, shards, own)
    if replacement is not None:
        replacement.try_out(graph, next(train.in_order()).target)
    validation = None if splits.validation is None else batches(splits.validation)
    require_same_data(ranks, network, {"training": train, "validation": validation})
    return Setup(
        description=description,
        graph=graph,
        training=training,
        network=network,
        loss=build_loss(graph, replacement),
        optimizer=build_optimizer(training, network),
        schedule=build_schedule(training),
        train=train,
        validation=validation,
        test=None if splits.test is None else batches(splits.test),
        device=device,
        ranks=ranks,
    )


def _with_best(description: Description, has_validation: bool) -> Description:
    """Fills in ``training.best``: its default or, in the lock of an older netdesc, the loss."""
    document, best = description.document, description.document.training.best
    if best is None and description.lock is not None:
        best = "validation_loss" if has_validation else "loss"
    update = {"best": best or document.epoch_metrics(has_validation)[0]}
    training = document.training.model_copy(update=update)
    return replace(description, document=document.model_copy(update={"training": training}))
