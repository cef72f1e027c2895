"""A run that has ended: its results, and the metrics of its epochs as numpy arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netdesc.api.predict import Predictions, predict
from netdesc.description import load
from netdesc.description.outline import Cell, Outline, Outlined
from netdesc.graph import build_graph
from netdesc.runs.errors import RunError
from netdesc.runs.folder import LOCK, METRICS, REPORT
from netdesc.runs.metrics_file import read_metrics
from netdesc.runs.run_record import read_record
from netdesc.training.outcome import Outcome
from netdesc.training.progress import format_metric

SHOWN_METRICS = ("epoch", "loss", "validation_loss", "accuracy", "validation_accuracy")
"""The metrics that a printed run has of its best and its last epoch, and of the test."""


@dataclass(frozen=True, eq=False, repr=False)
class Run(Outlined):
    """A run that has ended, in the folder ``path``, an absolute path.

    ``status`` is ``done``, ``diverged`` or ``interrupted``, and ``message`` says more. ``best`` and
    ``final`` are the metrics of the best and of the last epoch; None before the first epoch. The
    best epoch is that with the best ``training.best`` of the document: by default of the highest
    accuracy or, without labels, the lowest loss, in either case of the validation samples if there
    are some. ``compile`` and ``evaluate`` take its weights. ``test`` is the result of these weights
    on the test samples (``loss``, and with labels ``accuracy`` and more), None if there are none or
    the run is not done.

    Losses are per sample, unless they are means, and epochs count from 1. In the files of the run,
    epochs count from 0 and losses are as the document defines them.

    >>> network = netdesc.load("examples/oxford.json", {"training.epochs": 3})
    >>> run = netdesc.train(network, progress="quiet")
    >>> run.status, run.final["epoch"], run.metrics["epoch"]
    ('done', 3, array([1, 2, 3]))
    >>> run.best["loss"] in run.metrics["loss"]
    True
    """

    path: Path
    status: str
    message: str
    best: Mapping[str, Any] | None
    final: Mapping[str, Any] | None
    test: Mapping[str, Any] | None
    exit_code: int
    """The exit code of the command that trains: 0, or 4 if diverged; if interrupted, 130 after
    Ctrl-C and 75 after another signal."""

    @classmethod
    def of(cls, outcome: Outcome) -> "Run":
        """Returns the run with this outcome, whose losses and epochs are as in the files."""
        scale = outcome.scale
        best, final = (epoch and scale.shown(epoch) for epoch in (outcome.best, outcome.final))
        test = outcome.test and scale.of_test.shown(outcome.test)
        path, status, message = outcome.path.absolute(), outcome.status, outcome.message
        return cls(path, status, message, best, final, test, outcome.exit_code)

    @cached_property
    def metrics(self) -> dict[str, NDArray[Any]]:
        """The metrics as columns with a value for each epoch, by name; NaN if one is not known.

        ``epoch`` (from 1), ``loss`` (per sample), ``seconds``, ``learning_rate``, if there are any
        ``validation_loss``, ``accuracy`` and ``validation_accuracy``, and for each layer
        ``gradient_norms.NAME`` and ``spike_rates.NAME``. RunError if ``metrics.jsonl`` is
        missing, damaged, or empty although the run has complete epochs.
        """
        document = load(self.path / LOCK).document
        graph = build_graph(document)
        layers = [layer.name for layer in graph.neuron_layers]
        divisors = read_record(self.path).scale(graph.loss.reduction).divisors
        metrics = read_metrics(self.path, layers, document.training.epochs).per_sample(divisors)
        if self.final is not None and not len(metrics):
            raise RunError(
                f"{self.path / METRICS}: the file holds no complete line, although the run has "
                f"trained {self.final['epoch']} epochs"
            )
        known = {name: values for name, values in metrics.columns.items() if metrics.has(name)}
        by_layer = {f"{kind}.{name}": values for (kind, name), values in metrics.by_layer.items()}
        return {"epoch": metrics.epochs, **known, **by_layer}

    def predict(self, inputs: Any) -> Predictions:
        """Predicts outputs and classes with the best weights; see ``netdesc.predict``."""
        return predict(self, inputs)

    def __fspath__(self) -> str:
        """Makes the run a path, that of its folder, wherever one is taken."""
        return str(self.path)

    @property
    def report_path(self) -> Path | None:
        """The path of the report; None if it could not be written."""
        path = self.path / REPORT
        return path if path.exists() else None

    def outline(self) -> Outline:
        results = {"best": self.best or {}, "final": self.final or {}, "test": self.test or {}}
        names = {name for metrics in results.values() for name in metrics}
        columns = [name for name in SHOWN_METRICS if name in names]
        rows = [
            (row, *(_shown(name, metrics.get(name)) for name in columns))
            for row, metrics in results.items()
            if metrics
        ]
        headings = ("", *(name.replace("_", " ") for name in columns))
        report = self.report_path
        facts: list[tuple[str, Cell]] = [("folder", str(self.path)), ("status", self.message)]
        facts += [] if report is None else [("report", report)]
        return Outline(f"run {self.path.name}: {self.status}", facts, [headings, *rows])


def _shown(metric: str, value: Any) -> Cell:
    return "" if value is None else value if metric == "epoch" else format_metric(metric, value)
