"""Reads the folder of a run, from which the report is computed, and the spike rates in it."""

from pathlib import Path
from typing import Any

import numpy as np

from netdesc.description import DescriptionError, load
from netdesc.description.diagnostics.wording import amount
from netdesc.graph import build_graph
from netdesc.runs.activity_file import Activity, Sample, read_activity
from netdesc.runs.errors import RunError
from netdesc.runs.folder import ACTIVITY, BEST, CHECKPOINTS, INITIAL, METRICS, lock_of, read_text
from netdesc.runs.metrics_file import read_metrics
from netdesc.runs.run_record import ENDED, read_record

UNSTABLE = "ND413"
MAX_LOCK_BYTES = 64 << 20
MAX_PLOTTED_LAYERS = 12
"""The largest number of layers with figures. Tables contain all layers."""


class RunData:
    """The content of a run's folder, except its weights. RunError if it cannot be read.

    ``files`` maps the paths in the document to the data files. ``damage`` are sentences about
    missing and wrong data in the files of the run. ``plotted_layers`` are the names of the layers
    with figures. ``loss_scale`` made losses in ``metrics`` and ``silent_loss`` per sample.
    """

    def __init__(self, path: Path) -> None:
        lock = lock_of(path)
        self.path, self.damage = path, list[str]()
        self.record, self.lock_text = read_record(path), read_text(lock, MAX_LOCK_BYTES)
        try:
            description = load(lock)
        except DescriptionError as error:
            cause = next(diagnostic for diagnostic in error.diagnostics if diagnostic.is_error)
            problem = f"this netdesc cannot read the document: {cause.message}"
            raise RunError(f"{lock}: {problem}") from error
        self.document, self.files = description.document, dict(description.files)
        self.graph = build_graph(self.document)
        self.plotted_layers = [layer.name for layer in self.graph.neuron_layers]
        self.plotted_layers[MAX_PLOTTED_LAYERS - 1 : -1] = []  # the last one has figures, too
        self.activity: Activity | None = None
        try:
            self.activity = read_activity(path, self.graph)
        except RunError as error:
            problem = f"{error}. The report has no pictures and no spike rates of neurons."
            self.damage.append(problem)
        self.samples = list[Sample]() if self.activity is None else self.activity.samples
        self.rates = {} if self.activity is None else self.activity.rates
        """Layer -> rates of its neurons, [neurons] in spikes per step; outputs but 0 are spikes."""
        self.spiking_layers = {
            layer.name
            for layer in self.graph.neuron_layers
            if layer.neuron.equations().spike is not None
        }
        self.epochs = self.document.training.epochs
        best_by = self.document.training.best
        metrics = read_metrics(path, self.plotted_layers, self.epochs, best_by)
        self.loss_scale = self.record.scale(self.graph.loss.reduction)
        self.loss_unit = self.loss_scale.unit
        """What follows the word loss: `` per sample`` if sums were divided; otherwise empty."""
        self.metrics = metrics.per_sample(self.loss_scale.divisors)
        lost = self.record.epochs_done - int(np.isfinite(metrics.columns["loss"]).sum())
        if self.record.status in ENDED and lost > 0:
            problem = f"{METRICS} lacks {amount(lost, 'epoch')}. The report leaves them out."
            self.damage.append(problem)
        metric = self.metrics.watched_metric
        silence: float | None = getattr(self.record.silence, metric, None)
        self.silent_loss = silence and silence / self.loss_scale.divisors[metric]
        """The loss of an output without spikes, as the metric that early stopping watches."""
        findings = [finding for finding in self.record.findings if not finding.is_over]
        self.unstable = next((f for f in findings if f.code == UNSTABLE), None)
        """Why training was unstable; None if it was not, or in a run of an older netdesc."""
        self.epochs_done = max(len(metrics), self.record.epochs_done)
        """The number of complete epochs. During training, only the metrics contain this number."""
        self.initial_path, self.best_path = (path / CHECKPOINTS / name for name in (INITIAL, BEST))
        files = (path / ACTIVITY, self.initial_path, self.best_path)
        self.missing_files = [str(file.relative_to(path)) for file in files if not file.exists()]
        """The files that a complete run has but this run lacks, relative to the run's folder."""

    @property
    def test(self) -> dict[str, Any]:
        """The metrics of the test samples, losses per sample; empty without any."""
        test = self.record.test
        return {} if test is None else self.loss_scale.of_test.shown(test.model_dump())

    def classified_items(self, part: str) -> str:
        """What is classified, such as ``validation samples`` or ``steps of training samples``."""
        samples = f"{part} samples"
        return f"steps of {samples}" if self.record.labels_by_step else samples
