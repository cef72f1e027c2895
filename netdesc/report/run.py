"""A run as its folder holds it: everything that a report is computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netdesc.description import DescriptionError, Document, load
from netdesc.graph import Dense, Graph, build_graph
from netdesc.report.activity import Activity, read_activity
from netdesc.report.errors import MissingError, ReportError
from netdesc.report.files import read_text
from netdesc.report.format import join_words, plural
from netdesc.report.metrics import Metrics, read_metrics
from netdesc.report.record import Record, read_record
from netdesc.runs.files import ACTIVITY, BEST, CHECKPOINTS, INITIAL, LOCK, METRICS, RECORD, no_run
from netdesc.runs.state import is_at_work, saved_epochs

MAX_LOCK_BYTES = 64 << 20
MAX_DRAWN_LAYERS = 12
"""Layers that get figures of their own; tables have them all."""


@dataclass(frozen=True, eq=False)
class Run:
    """``at_work`` tells whether a process still works on it, None where nobody can tell.

    ``resumes_after`` counts the epochs with which resuming would begin, None where that is not
    known. ``files`` are the data files by the path that the document quotes. ``activity_damage``
    is what is wrong with the file of the activity, which the report then does without.
    """

    path: Path
    record: Record
    at_work: bool | None
    resumes_after: int | None
    document: Document
    graph: Graph
    files: dict[str, Path]
    lock_text: str
    metrics: Metrics
    activity: Activity | None
    activity_damage: str | None

    @property
    def dense(self) -> list[Dense]:
        """The layers with synapses and neurons."""
        return _dense_layers(self.graph)

    @property
    def drawn(self) -> list[str]:
        """Names of those that get figures."""
        return _drawn_layers(self.graph)

    @property
    def epochs_done(self) -> int:
        """Complete epochs. Until a run ends, its record does not say; the metrics do."""
        return max(len(self.metrics), self.record.epochs_done)

    @property
    def epochs(self) -> int:
        """Epochs that were asked for."""
        return self.document.training.epochs

    @property
    def silence(self) -> float | None:
        """What an output without spikes scores, of the loss by which an epoch is the best."""
        return getattr(self.record.silence, self.metrics.watched)

    @property
    def unit(self) -> str:
        """What is put into a class: ``samples``, or ``steps`` where each step has a label."""
        return "steps" if self.record.labels_by_step else "samples"

    @property
    def judged(self) -> str:
        """What the accuracy is of: ``validation samples``, ``steps of training samples``."""
        samples = f"{self.metrics.part} samples"
        return f"steps of {samples}" if self.record.labels_by_step else samples

    @property
    def initial_path(self) -> Path:
        return self.path / CHECKPOINTS / INITIAL

    @property
    def best_path(self) -> Path:
        return self.path / CHECKPOINTS / BEST

    @property
    def damage(self) -> list[str]:
        """In sentences, what the files of the run lack or hold wrongly."""
        return [*([] if self.activity_damage is None else [self.activity_damage]), *self._lacking()]

    def _lacking(self) -> Iterator[str]:
        metrics, best, record = self.metrics, self.metrics.best, self.record
        if metrics.impossible:
            yield (
                f"{METRICS} is damaged: these values are impossible and left out: "
                f"{join_words(metrics.impossible)}."
            )
        if len(metrics.lacking):
            source = f" The best and the last epoch are those that {RECORD} notes."
            yield (
                f"{METRICS} lacks {len(metrics.lacking):,} of {plural(len(metrics), 'epoch')}, the "
                f"first of them epoch {metrics.lacking[0]:,}: figures and tables are without them."
                f"{source if record.has_ended and record.known else ''}"
            )
        noted = record.best.epoch if record.has_ended and record.best is not None else best
        if best is not None and noted is not None and noted != best:
            yield (
                f"{RECORD} notes epoch {noted + 1:,} as the best, and by {METRICS} it is epoch "
                f"{best + 1:,}: one of the two files was changed."
            )

    @property
    def missing(self) -> list[str]:
        """Files that a whole run has and this one lacks; the report does without them."""
        paths = [self.path / ACTIVITY, self.initial_path, self.best_path]
        return [str(path.relative_to(self.path)) for path in paths if not path.exists()]


def read_run(path: Path) -> Run:
    """Everything in the folder of a run but its weights. ReportError where it cannot be read."""
    if not path.is_dir():
        raise MissingError(no_run(path))
    if not (path / RECORD).exists() and not (path / LOCK).exists():
        raise MissingError(f"{path} holds no run: there is no {RECORD} in it")
    record = read_record(path)
    lock_text = read_text(path / LOCK, MAX_LOCK_BYTES)
    try:
        description = load(path / LOCK, with_files=False)
    except DescriptionError as error:
        first = next(each for each in error.diagnostics if each.is_error)
        raise ReportError(
            f"{path / LOCK}: is no document that this netdesc reads: {first.message}"
        ) from error
    document, graph = description.document, build_graph(description.document)
    activity = damage = None
    try:
        activity = read_activity(path, graph)
    except ReportError as error:
        damage = f"{error}. Pictures and spike rates of single neurons are left out."
    epochs = document.training.epochs
    metrics = read_metrics(
        path,
        _drawn_layers(graph),
        epochs,
        classes=graph.classes,
        done=min(record.epochs_done, epochs) if record.has_ended else 0,
        known=record.known if record.has_ended else (),
    )
    return Run(
        path=path,
        record=record,
        at_work=is_at_work(path, record.pid),
        resumes_after=saved_epochs(path),
        document=document,
        graph=graph,
        files=dict(description.files),
        lock_text=lock_text,
        metrics=metrics,
        activity=activity,
        activity_damage=damage,
    )


def _dense_layers(graph: Graph) -> list[Dense]:
    return [layer for layer in graph.layers if isinstance(layer, Dense)]


def _drawn_layers(graph: Graph) -> list[str]:
    """Names of the layers that get figures: all, or the first ones and the last."""
    names = [layer.name for layer in _dense_layers(graph)]
    return names if len(names) <= MAX_DRAWN_LAYERS else [*names[: MAX_DRAWN_LAYERS - 1], names[-1]]
