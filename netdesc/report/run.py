"""Reads the folder of a run, from which the report is computed, and the spike rates in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.description import DescriptionError, Document, load
from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph, build_graph
from netdesc.runs.activity_file import MIN_SATURATED_RATE, Activity, read_activity
from netdesc.runs.errors import RunError
from netdesc.runs.folder import ACTIVITY, BEST, CHECKPOINTS, INITIAL, METRICS, lock_of, read_text
from netdesc.runs.metrics_file import Metrics, read_metrics
from netdesc.runs.run_record import ENDED, Finding, RunRecord, Scale, read_record

UNSTABLE = "ND413"
MAX_LOCK_BYTES = 64 << 20
MAX_PLOTTED_LAYERS = 12
"""The largest number of layers with figures. Tables contain all layers."""


@dataclass(frozen=True, eq=False)
class RunData:
    """The content of a run's folder.

    ``files`` maps the paths in the document to the data files. ``damage`` are sentences about
    missing and wrong data in the files of the run.
    """

    path: Path
    record: RunRecord
    document: Document
    graph: Graph
    files: dict[str, Path]
    lock_text: str
    metrics: Metrics
    activity: Activity | None
    damage: list[str]
    plotted_layers: list[str]
    """The names of the layers with figures."""

    @property
    def epochs_done(self) -> int:
        """The number of complete epochs. During training, only the metrics contain this number."""
        return max(len(self.metrics), self.record.epochs_done)

    @property
    def epochs(self) -> int:
        """The number of epochs that the document asks for."""
        return self.document.training.epochs

    @property
    def loss_scale(self) -> Scale:
        """What made ``metrics`` and ``silent_loss`` per sample."""
        return self.record.scale(self.graph.loss.reduction)

    @property
    def loss_unit(self) -> str:
        """What follows the word loss: `` per sample`` if sums were divided; otherwise empty."""
        return self.loss_scale.unit

    @property
    def silent_loss(self) -> float | None:
        """The loss of an output without spikes, as the metric that early stopping watches."""
        metric = self.metrics.watched_metric
        loss: float | None = getattr(self.record.silence, metric, None)
        return None if loss is None else loss / self.loss_scale.divisors[metric]

    @property
    def test(self) -> dict[str, Any]:
        """The metrics of the test samples, losses per sample; empty without any."""
        test = self.record.test
        return {} if test is None else self.loss_scale.of_test.shown(test.model_dump())

    def classified_items(self, part: str) -> str:
        """What is classified, such as ``validation samples`` or ``steps of training samples``."""
        samples = f"{part} samples"
        return f"steps of {samples}" if self.record.labels_by_step else samples

    @property
    def unstable(self) -> Finding | None:
        """Why training was unstable; None if it was not, or in a run of an older netdesc."""
        findings = (finding for finding in self.record.findings if not finding.is_over)
        return next((finding for finding in findings if finding.code == UNSTABLE), None)

    @property
    def initial_path(self) -> Path:
        return self.path / CHECKPOINTS / INITIAL

    @property
    def best_path(self) -> Path:
        return self.path / CHECKPOINTS / BEST

    @property
    def missing_files(self) -> list[str]:
        """The files that a complete run has but this run lacks, relative to the run's folder."""
        paths = [self.path / ACTIVITY, self.initial_path, self.best_path]
        return [str(path.relative_to(self.path)) for path in paths if not path.exists()]


def read_run(path: Path) -> RunData:
    """Reads the folder of a run, except its weights.

    Raises RunError if it cannot be read.
    """
    lock = lock_of(path)
    record, lock_text = read_record(path), read_text(lock, MAX_LOCK_BYTES)
    try:
        description = load(lock)
    except DescriptionError as error:
        first = next(diagnostic for diagnostic in error.diagnostics if diagnostic.is_error)
        raise RunError(f"{lock}: this netdesc cannot read the document: {first.message}") from error
    document, graph = description.document, build_graph(description.document)
    activity, damage = None, list[str]()
    plotted_layers = [layer.name for layer in graph.neuron_layers]
    plotted_layers[MAX_PLOTTED_LAYERS - 1 : -1] = []  # the last one has figures, too
    try:
        activity = read_activity(path, graph)
    except RunError as error:
        damage.append(f"{error}. The report has no pictures and no spike rates of neurons.")
    training = document.training
    metrics = read_metrics(path, plotted_layers, training.epochs, training.best)
    lost = record.epochs_done - int(np.isfinite(metrics.columns["loss"]).sum())
    if record.status in ENDED and lost > 0:
        damage.append(f"{METRICS} lacks {amount(lost, 'epoch')}. The report leaves them out.")
    return RunData(
        path=path,
        record=record,
        document=document,
        graph=graph,
        files=dict(description.files),
        lock_text=lock_text,
        metrics=metrics.per_sample(record.scale(graph.loss.reduction).divisors),
        activity=activity,
        damage=damage,
        plotted_layers=plotted_layers,
    )


class LayerRates(NamedTuple):
    """The rates of a layer's neurons, and the numbers of silent and saturated neurons.

    ``rates`` is [neurons] in spikes per step; values other than 0 count as spikes. NaN, from a
    damaged file, counts as neither silent nor saturated. Of neurons that do not spike,
    ``saturated`` is None.
    """

    name: str
    rates: NDArray[np.floating]
    neurons: int
    silent: int
    saturated: int | None

    @classmethod
    def of(cls, name: str, rates: NDArray[np.floating], spikes: bool = True) -> "LayerRates":
        silent = int(np.count_nonzero(rates == 0))
        saturated = int(np.count_nonzero(rates >= MIN_SATURATED_RATE)) if spikes else None
        return cls(name, rates, len(rates), silent, saturated)


def layer_rates(run: RunData) -> list[LayerRates]:
    """Returns the rates of all layers with neurons; an empty list if the run has no activity."""
    rates = {} if run.activity is None else run.activity.rates
    spiking = spiking_layers(run)
    return [LayerRates.of(name, each, name in spiking) for name, each in rates.items()]


def spiking_layers(run: RunData) -> set[str]:
    """Returns the names of the layers whose neurons spike; others output numbers."""
    layers = run.graph.neuron_layers
    return {layer.name for layer in layers if layer.neuron.equations().spike is not None}


def rate_unit(is_spiking: bool) -> str:
    return "spikes per step" if is_spiking else "outputs other than 0 per step"
