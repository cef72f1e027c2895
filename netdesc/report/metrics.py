"""``metrics.jsonl`` as columns: one object a line, one line an epoch, perhaps a million of them."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.report.errors import MissingError, ReportError
from netdesc.report.files import opened
from netdesc.report.words import counted
from netdesc.run_files import METRICS

FIGURES = (
    "loss",
    "validation_loss",
    "accuracy",
    "validation_accuracy",
    "seconds",
    "learning_rate",
)
_FLOAT32 = 3.5e38
POSSIBLE = {
    "loss": (-1e-3, _FLOAT32),  # none is below 0 but by rounding, and all are float32
    "validation_loss": (-1e-3, _FLOAT32),
    "accuracy": (0.0, 1.0),
    "validation_accuracy": (0.0, 1.0),
    "seconds": (0.0, 1e10),
    "learning_rate": (0.0, math.inf),
}
"""Between which ends a figure lies, where it is a number. Others are left out, and told."""
PER_LAYER = ("gradient_norms", "spike_rates")
MOST_LINE_BYTES = 4 << 20
MOST_CLASSES = 64

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often samples of a class (row) were given each class (column), after one epoch.

    ``undecided`` counts the samples that were given none, ``undecided_by_label`` those of each
    class, None in runs of an older netdesc; ``epoch`` counts from 1.
    """

    counts: NDArray[np.int64]
    undecided: int
    epoch: int
    undecided_by_label: NDArray[np.int64] | None = None

    @property
    def total(self) -> int:
        return int(self.counts.sum()) + self.undecided

    @property
    def commonest(self) -> float:
        """The share of the samples that the most frequent class has, at least."""
        return float(self.by_label.max() / max(1, self.total))

    @property
    def by_label(self) -> NDArray[np.int64]:
        """How many samples each class has, int64 [classes]; at least, where runs are older."""
        decided = self.counts.sum(axis=1)
        return decided if self.undecided_by_label is None else decided + self.undecided_by_label


@dataclass(frozen=True, eq=False)
class Metrics:
    """A run's epochs as columns of one length; NaN where a row lacks a figure.

    ``epochs`` count from 1, as all that a person reads; those of the file, from 0.
    ``layers`` maps each of ``PER_LAYER`` to a column a layer. ``confusion`` belongs to the best
    epoch, by the validation loss, or by the loss where there is none. ``lacking`` are the epochs
    for which the file should have a line and has none; their rows hold what else is known.
    """

    epochs: NDArray[np.int64]
    figures: dict[str, Column]
    layers: dict[str, dict[str, Column]]
    confusion: Confusion | None
    lacking: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    impossible: list[str] = field(default_factory=list[str])
    """In words, figures of the file that were left out because they cannot be."""

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
    def best(self) -> int | None:
        """The row of the best epoch, the first of equals; None where there is no finite loss."""
        losses = self.figures[self.watched]
        return int(np.nanargmin(losses)) if np.isfinite(losses).any() else None

    def at(self, name: str, row: int | None) -> float | None:
        """A figure of a row, or None."""
        value = math.nan if row is None else float(self.figures[name][row])
        return value if math.isfinite(value) else None

    def completed(self, done: int, known: Sequence[tuple[int, Mapping[str, float]]]) -> Metrics:
        """The metrics with a row for each of ``done`` epochs, and of all up to the last line.

        ``known`` are figures of some epochs (from 1) by name, from elsewhere: they stand in for
        those that the file lacks, so that the best and the last epoch are what they were.
        """
        last = max(done, int(self.epochs[-1]) if len(self) else 0)
        if last == len(self) and not known:
            return self
        epochs, place = np.arange(1, last + 1), self.epochs - 1

        def spread(column: Column) -> Column:
            whole = np.full(last, np.nan)
            whole[place] = column
            return whole

        figures = {name: spread(column) for name, column in self.figures.items()}
        for epoch, given in known:
            for name in given.keys() & figures.keys() if 1 <= epoch <= last else ():
                if np.isnan(figures[name][epoch - 1]):
                    figures[name][epoch - 1] = given[name]
        layers = {
            kind: {name: spread(column) for name, column in columns.items()}
            for kind, columns in self.layers.items()
        }
        whole = replace(
            self,
            epochs=epochs,
            figures=figures,
            layers=layers,
            lacking=np.setdiff1d(epochs, self.epochs),
        )
        best, confusion = whole.best, self.confusion
        if confusion is None or best is None or confusion.epoch == best + 1:
            return whole
        return replace(whole, confusion=None)  # it is not that of the best epoch


def read_metrics(
    run: Path, layers: Sequence[str], epochs: int | None = None, classes: int | None = None
) -> Metrics:
    """The metrics of a run that is to do ``epochs``, and those by layer of ``layers`` alone.

    ``classes`` are those of the network, where that is known. A last line that was not written to
    its end is left out. ReportError where the file is missing or a line is no row of metrics.
    """
    path = run / METRICS
    if not path.exists():
        raise MissingError(f"{path}: there is no such file, so there is nothing to report")
    columns = _Columns(layers, epochs, classes)
    number = 0
    with opened(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            try:
                columns.add(_row(line))
            except (ValueError, OverflowError, RecursionError) as error:
                raise ReportError(f"{path}: line {number} is damaged: {error}") from error
    return columns.metrics()


def _lines(path: Path, file: Any) -> Iterator[bytes]:
    """Whole lines; what stands after the last of them was torn off when the run was killed."""
    while line := file.readline(MOST_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line
        elif len(line) == MOST_LINE_BYTES:
            raise ReportError(f"{path}: a line is longer than {MOST_LINE_BYTES:,} bytes")


def _row(line: bytes) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  (the file's fault, not ours)
    return row


class _Columns:
    """Grows by a row at a time. Plain arrays: a million rows are tens of megabytes."""

    def __init__(self, layers: Sequence[str], epochs: int | None, classes: int | None) -> None:
        self._asked = epochs
        self._classes = classes
        self._impossible: dict[str, list[int]] = {}
        self._epochs = array("q")
        self._figures = {name: array("d") for name in FIGURES}
        self._layers = {kind: {name: array("d") for name in layers} for kind in PER_LAYER}
        self._confusion: Confusion | None = None
        self._least = math.inf

    def add(self, row: dict[str, Any]) -> None:
        epoch = row.get("epoch")
        if type(epoch) is not int or epoch < 0:
            raise ValueError('"epoch" is no whole number')
        if self._asked is not None and epoch >= max(self._asked, len(self._epochs) + 1):
            raise ValueError(f'"epoch" is {epoch}, and the run is of {self._asked}')
        if self._epochs and epoch < self._epochs[-1]:
            raise ValueError(f'"epoch" is {epoch}, and the line before is of no earlier one')
        self._epochs.append(epoch + 1)
        for name, column in self._figures.items():
            column.append(self._possible(name, _number(row, name), epoch + 1))
        for kind, columns in self._layers.items():
            given = row.get(kind) or {}
            if not isinstance(given, dict):
                raise ValueError(f'"{kind}" is no object')  # noqa: TRY004  (the same)
            for name, column in columns.items():
                column.append(_number(given, name))
        if "confusion" in row:
            self._keep_confusion(row, epoch + 1)

    def _keep_confusion(self, row: dict[str, Any], epoch: int) -> None:
        watched = "validation_loss" if "validation_loss" in row else "loss"
        loss = self._figures[watched][-1]
        if loss < self._least:
            self._least = loss
            confusion = _confusion(row, epoch)
            is_ours = self._classes in (None, len(confusion.counts))
            self._confusion = confusion if is_ours else None
            if not is_ours:
                self._impossible.setdefault("confusion", []).append(epoch)

    def _possible(self, name: str, value: float, epoch: int) -> float:
        """The figure, or NaN in place of a number that it cannot have."""
        low, high = POSSIBLE[name]
        if low <= value <= high or not math.isfinite(value):
            return value
        self._impossible.setdefault(name, []).append(epoch)
        return math.nan

    def metrics(self) -> Metrics:
        return Metrics(
            np.array(self._epochs, dtype=np.int64),
            {name: np.array(column) for name, column in self._figures.items()},
            {
                kind: {name: np.array(column) for name, column in columns.items()}
                for kind, columns in self._layers.items()
            },
            self._confusion,
            impossible=[
                f"{name.replace('_', ' ')} in {counted(len(epochs), 'line')}, first of epoch "
                f"{epochs[0]:,}"
                for name, epochs in self._impossible.items()
            ],
        )


def _number(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    if value is None:
        return math.nan
    if type(value) is not float and type(value) is not int:
        raise ValueError(f'"{name}" is no number')
    return float(value)


def _confusion(row: dict[str, Any], epoch: int) -> Confusion:
    counts, undecided = row["confusion"], row.get("undecided", 0)
    classes = len(counts) if isinstance(counts, list) else 0
    sound = 0 < classes <= MOST_CLASSES and all(
        isinstance(line, list) and len(line) == classes and all(map(_is_count, line))
        for line in counts
    )
    if not sound or not _is_count(undecided):
        raise ValueError('"confusion" is no square table of counts')
    by_label = row.get("undecided_by_label")
    table = np.array(counts, dtype=np.int64)
    if by_label is None:
        return Confusion(table, undecided, epoch)
    if (
        not isinstance(by_label, list)
        or len(by_label) != classes
        or not all(map(_is_count, by_label))
    ):
        raise ValueError('"undecided_by_label" is no count for each class')
    if sum(by_label) != undecided:
        raise ValueError('"undecided" is not the sum of "undecided_by_label"')
    return Confusion(table, undecided, epoch, np.array(by_label, dtype=np.int64))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 53
