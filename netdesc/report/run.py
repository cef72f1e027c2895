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
from netdesc.report.metrics import Metrics, read_metrics
from netdesc.report.record import Record, read_record
from netdesc.report.words import counted, listed
from netdesc.run_files import ACTIVITY, BEST, CHECKPOINTS, INITIAL, LOCK, METRICS, RECORD, no_run
from netdesc.run_state import is_at_work, saved_epochs

MOST_LOCK_BYTES = 64 << 20
BEST_PATH = f"{CHECKPOINTS}/{BEST}"
MOST_LAYERS = 12
"""Layers that get figures of their own; tables have them all."""


@dataclass(frozen=True, eq=False)
class Run:
    """``at_work`` tells whether a process still works on it, None where nobody can tell.

    ``resumes_after`` counts the epochs with which resuming would begin, None where that is not
    known.
    """

    path: Path
    record: Record
    at_work: bool | None
    resumes_after: int | None
    document: Document
    graph: Graph
    files: dict[str, Path]
    """Where the data files were, by the path that the document quotes."""
    lock_text: str
    metrics: Metrics
    activity: Activity | None
    damaged: str | None
    """What is wrong with the file of the activity, which the report then does without."""

    @property
    def dense(self) -> list[Dense]:
        """The layers with synapses and neurons."""
        return [layer for layer in self.graph.layers if isinstance(layer, Dense)]

    @property
    def drawn(self) -> list[Dense]:
        """Those that are drawn."""
        return drawn_layers(self.graph)

    @property
    def epochs_done(self) -> int:
        """Complete epochs. Until a run ends, its record does not say; the metrics do."""
        last = int(self.metrics.epochs[-1]) if len(self.metrics) else 0
        return max(last, self.record.epochs_done)

    @property
    def epochs(self) -> int:
        """Epochs that were asked for."""
        return self.document.training.epochs

    @property
    def silence(self) -> float | None:
        """What an output without spikes scores, of the loss by which an epoch is the best."""
        noted = self.record.silence
        return noted.validation_loss if self.metrics.watched == "validation_loss" else noted.loss

    @property
    def initial_path(self) -> Path:
        return self.path / CHECKPOINTS / INITIAL

    @property
    def best_path(self) -> Path:
        return self.path / CHECKPOINTS / BEST

    @property
    def damage(self) -> list[str]:
        """In sentences, what the files of the run lack or hold wrongly."""
        return [*([] if self.damaged is None else [self.damaged]), *self._lacking()]

    def _lacking(self) -> Iterator[str]:
        if self.metrics.impossible:
            yield (
                f"{METRICS} is damaged, for it has values that there cannot be; they are left out: "
                f"{listed(self.metrics.impossible)}."
            )
        lacking, best, record = self.metrics.lacking, self.metrics.best, self.record
        if len(lacking):
            first, count = int(lacking[0]), len(lacking)
            is_end = first + count > len(self.metrics)
            where = f"from epoch {first:,} on" if is_end else f"the first of them epoch {first:,}"
            source = f"; the best and the last epoch are those that {RECORD} notes"
            has_noted = record.has_ended and bool(record.known)
            yield (
                f"{METRICS} lacks {count:,} of {counted(len(self.metrics), 'epoch')}, {where}: "
                f"figures and tables below are without them{source if has_noted else ''}."
            )
        if record.has_ended and record.best is not None and best is not None:
            noted, found = record.best.epoch + 1, int(self.metrics.epochs[best])
            if noted != found:
                yield (
                    f"{RECORD} notes epoch {noted:,} as the best, and by {METRICS} it is epoch "
                    f"{found:,}: one of the two files was changed."
                )

    @property
    def missing(self) -> list[str]:
        """Files that a run of this netdesc has and this one lacks; the report does without them."""
        wanted = {
            ACTIVITY: self.path / ACTIVITY,
            f"{CHECKPOINTS}/{INITIAL}": self.initial_path,
            BEST_PATH: self.best_path,
        }
        return [name for name, path in wanted.items() if not path.exists()]


def read_run(path: Path) -> Run:
    """Everything in the folder of a run but its weights. ReportError where it cannot be read."""
    if not path.is_dir():
        raise MissingError(no_run(path))
    if not (path / RECORD).exists() and not (path / LOCK).exists():
        raise MissingError(f"{path} holds no run: there is no {RECORD} in it")
    record = read_record(path)
    lock_text = read_text(path / LOCK, MOST_LOCK_BYTES)
    try:
        description = load(path / LOCK, with_files=False)
    except DescriptionError as error:
        first = next(each for each in error.diagnostics if each.is_error)
        raise ReportError(
            f"{path / LOCK}: is no document that this netdesc reads: {first.message}"
        ) from error
    graph = build_graph(description.document)
    activity = damaged = None
    try:
        activity = read_activity(path, graph)
    except ReportError as error:
        damaged = f"{error}. Pictures and spike rates of single neurons are left out."
    return Run(
        path=path,
        record=record,
        at_work=is_at_work(path, record.pid),
        resumes_after=saved_epochs(path),
        document=description.document,
        graph=graph,
        files=dict(description.files),
        lock_text=lock_text,
        metrics=_metrics(path, record, graph, description.document.training.epochs),
        activity=activity,
        damaged=damaged,
    )


def _metrics(path: Path, record: Record, graph: Graph, epochs: int) -> Metrics:
    """The metrics; of a run that has ended, with a row for every epoch that it has done."""
    layers = [layer.name for layer in drawn_layers(graph)]
    metrics = read_metrics(path, layers, epochs, graph.classes)
    if not record.has_ended:
        return metrics.completed(0, [])
    return metrics.completed(min(record.epochs_done, epochs), record.known)


def drawn_layers(graph: Graph) -> list[Dense]:
    """The layers that get figures: all, or the first ones and the last."""
    dense = [layer for layer in graph.layers if isinstance(layer, Dense)]
    return dense if len(dense) <= MOST_LAYERS else [*dense[: MOST_LAYERS - 1], dense[-1]]
