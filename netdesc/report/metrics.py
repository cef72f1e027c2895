"""``metrics.jsonl`` as columns: one object a line, one line an epoch, perhaps a million of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from netdesc.report.errors import MissingError, ReportError
from netdesc.report.files import opened
from netdesc.report.format import plural
from netdesc.report.record import Figures, explain
from netdesc.runs.files import METRICS

MAX_LINE_BYTES = 4 << 20
MAX_CLASSES = 64
MAX_LOSS = 3.5e38
"""No float32 is larger."""
LIMITS = {
    "loss": (-1e-3, MAX_LOSS),  # rounding may leave a little less than 0
    "validation_loss": (-1e-3, MAX_LOSS),
    "accuracy": (0.0, 1.0),
    "validation_accuracy": (0.0, 1.0),
    "seconds": (0.0, 1e10),
    "learning_rate": (0.0, math.inf),
}
"""Figures, and the range of each where it is finite. Values outside are left out, and told."""
PER_LAYER = ("gradient_norms", "spike_rates")

Column = NDArray[np.float64]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Row(Figures):
    """A line of the file."""

    gradient_norms: dict[str, float | None] | None = None
    spike_rates: dict[str, float | None] | None = None
    confusion: list[list[_Count]] | None = None
    undecided_by_label: tuple[_Count, ...] = ()

    @model_validator(mode="after")
    def _check_confusion(self) -> _Row:
        if self.confusion is not None:
            lengths = {len(line) for line in [self.undecided_by_label, *self.confusion]}
            classes = len(self.confusion)
            if lengths != {classes} or not 0 < classes <= MAX_CLASSES:
                raise ValueError("confusion is no square table with undecided_by_label beside it")
        return self


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often samples of a class (row) were given each class (column), after one epoch.

    ``undecided`` counts the samples of each class that were given none, int64 [classes]; ``epoch``
    counts from 1.
    """

    counts: NDArray[np.int64]
    undecided: NDArray[np.int64]
    epoch: int

    @property
    def samples(self) -> NDArray[np.int64]:
        """How many samples each class has, int64 [classes]."""
        return self.counts.sum(axis=1) + self.undecided

    @property
    def total(self) -> int:
        return int(self.samples.sum())


@dataclass(frozen=True, eq=False)
class Metrics:
    """A run's epochs as columns [epochs]; NaN where a figure is not known.

    ``epochs`` count from 1, as all that a person reads; those of the file, from 0. ``by_layer``
    has a column for each of ``PER_LAYER`` and each layer. ``confusion`` belongs to the best epoch.
    ``lacking`` are the epochs for which the file should have a line and has none, ``impossible``
    says which figures were left out because they cannot be.
    """

    epochs: NDArray[np.int64]
    figures: dict[str, Column]
    by_layer: dict[tuple[str, str], Column]
    confusion: Confusion | None
    lacking: NDArray[np.int64]
    impossible: list[str]

    def __len__(self) -> int:
        return len(self.epochs)

    def has(self, name: str) -> bool:
        """Whether any row has the figure."""
        return bool(np.isfinite(self.figures[name]).any())

    @property
    def watched(self) -> str:
        """The figure by which an epoch is the best."""
        return "validation_loss" if self.has("validation_loss") else "loss"

    @property
    def watched_losses(self) -> Column:
        return self.figures[self.watched]

    @property
    def part(self) -> str:
        """The part of the data whose accuracy counts."""
        return "validation" if self.has("validation_accuracy") else "training"

    @property
    def best_accuracy(self) -> float | None:
        """The accuracy of the best epoch."""
        name = "validation_accuracy" if self.part == "validation" else "accuracy"
        return self.at(name, self.best)

    @property
    def best(self) -> int | None:
        """The row of the best epoch, the first of equals; None where there is no finite loss."""
        losses = self.watched_losses
        return int(np.nanargmin(losses)) if np.isfinite(losses).any() else None

    def at(self, name: str, row: int | None) -> float | None:
        """A figure of a row, or None."""
        value = math.nan if row is None else float(self.figures[name][row])
        return value if math.isfinite(value) else None


def read_metrics(
    run: Path,
    layers: Sequence[str],
    epochs: int,
    *,
    classes: int | None = None,
    done: int = 0,
    known: Sequence[Figures] = (),
) -> Metrics:
    """The metrics of a run that is to do ``epochs``, and those by layer of ``layers`` alone.

    There is a row for each of ``done`` epochs, and of all up to the last line. ``known`` are
    figures of some epochs from elsewhere, which stand in for those that the file lacks, so that the
    best and the last epoch stay what they were. A last line that was not written to its end is left
    out. ReportError where the file is missing or a line is no row of metrics.
    """
    path = run / METRICS
    if not path.exists():
        raise MissingError(f"{path}: there is no such file, so there is nothing to report")
    columns = _Columns(layers, epochs, classes)
    with opened(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            try:
                columns.add(_Row.model_validate_json(line))
            except ValidationError as error:
                raise ReportError(f"{path}: line {number} is damaged: {explain(error)}") from error
            except ValueError as error:
                raise ReportError(f"{path}: line {number} is damaged: {error}") from error
    return columns.metrics(done, known)


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Whole lines; what stands after the last of them was torn off when the run was killed."""
    while line := file.readline(MAX_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line
        elif len(line) == MAX_LINE_BYTES:
            raise ReportError(f"{path}: a line is longer than {MAX_LINE_BYTES:,} bytes")


class _Columns:
    """Grows by a row at a time. Plain arrays: a million rows are tens of megabytes."""

    def __init__(self, layers: Sequence[str], asked: int, classes: int | None) -> None:
        self._asked = asked
        self._classes = classes
        self._rows = array("q")
        self._figures = {name: array("d") for name in LIMITS}
        self._by_layer = {(kind, name): array("d") for kind in PER_LAYER for name in layers}
        self._impossible: dict[str, list[int]] = {}
        self._confusion: Confusion | None = None
        self._lowest_loss = math.inf

    def add(self, row: _Row) -> None:
        """ValueError where the epoch is not after the one before, or beyond the run."""
        previous = self._rows[-1] if self._rows else -1
        if not previous < row.epoch < max(self._asked, len(self._rows) + 1):
            raise ValueError(f"epoch {row.epoch} after {previous}, in a run of {self._asked}")
        self._rows.append(row.epoch)
        for name, column in self._figures.items():
            low, high = LIMITS[name]
            value = getattr(row, name)
            if value is not None and math.isfinite(value) and not low <= value <= high:
                self._impossible.setdefault(name, []).append(row.epoch + 1)
                value = None
            column.append(math.nan if value is None else value)
        for (kind, layer), column in self._by_layer.items():
            value = (getattr(row, kind) or {}).get(layer)
            column.append(math.nan if value is None else value)
        watched = "loss" if row.validation_loss is None else "validation_loss"
        if row.confusion is not None and self._figures[watched][-1] < self._lowest_loss:
            self._lowest_loss = self._figures[watched][-1]
            self._keep_confusion(row, row.confusion)

    def _keep_confusion(self, row: _Row, counts: list[list[int]]) -> None:
        self._confusion = None
        if self._classes in (None, len(counts)):
            undecided = np.array(row.undecided_by_label, dtype=np.int64)
            self._confusion = Confusion(np.array(counts, np.int64), undecided, row.epoch + 1)
        else:
            self._impossible.setdefault("confusion", []).append(row.epoch + 1)

    def metrics(self, done: int, known: Sequence[Figures]) -> Metrics:
        rows = np.array(self._rows, dtype=np.int64)
        count = max(done, int(rows[-1]) + 1 if len(rows) else 0)
        epochs = np.arange(1, count + 1)

        def spread(column: array[float]) -> Column:
            whole = np.full(count, np.nan)
            whole[rows] = column
            return whole

        figures = {name: spread(column) for name, column in self._figures.items()}
        for each in known:
            for name, column in figures.items():
                value = getattr(each, name)
                if value is not None and 0 <= each.epoch < count and np.isnan(column[each.epoch]):
                    column[each.epoch] = value
        metrics = Metrics(
            epochs,
            figures,
            {key: spread(column) for key, column in self._by_layer.items()},
            self._confusion,
            lacking=np.setdiff1d(epochs, rows + 1),
            impossible=[
                f"{name.replace('_', ' ')} in {plural(len(where), 'line')}, first of epoch "
                f"{where[0]:,}"
                for name, where in self._impossible.items()
            ],
        )
        best, confusion = metrics.best, self._confusion
        if confusion is not None and best is not None and confusion.epoch != best + 1:
            return replace(metrics, confusion=None)  # it is that of another epoch
        return metrics
