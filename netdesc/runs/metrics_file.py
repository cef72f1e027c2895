"""Writes ``metrics.jsonl``, one JSON object per line and epoch, and reads it into columns."""

from __future__ import annotations

import contextlib
import json
import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError, model_validator

from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import METRICS, open_regular, open_to_read
from netdesc.runs.run_record import Count, EpochMetrics, explain

MAX_MATRIX_CLASSES = 64
"""With more classes, a run has no confusion matrix."""
PER_EPOCH = tuple(name for name in EpochMetrics.model_fields if name != "epoch")
PER_LAYER = ("gradient_norms", "spike_rates")
LOWER_IS_BETTER = ("loss", "validation_loss")
"""The metrics whose lowest value is the best. Of an accuracy or a confidence it is the highest."""

Column = NDArray[np.float64]


class MetricsFile(contextlib.AbstractContextManager["MetricsFile"]):
    """Writes ``metrics.jsonl``: one JSON object per epoch, buffered in memory.

    Opening truncates the file to ``length`` bytes, the length at the checkpoint. If the file is
    shorter, ``is_short`` is True, and new lines are written after the last complete line. Every
    method raises StorageError if the file cannot be written.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        with storing(path):
            self._file = open(path, "ab+", opener=open_regular)  # noqa: SIM115  (__exit__ closes it)
            size = self._file.tell()
            self.is_short = size < length
            if self.is_short:
                self._file.seek(0)
                length = self._file.read().rfind(b"\n") + 1
            self._file.truncate(length)
            self._file.seek(length)

    def append(self, row: dict[str, Any]) -> None:
        """Appends ``row`` as a line to the buffer."""
        with storing(self._path):
            self._file.write(json.dumps(row).encode() + b"\n")

    def flush(self) -> None:
        """Passes the buffer to the operating system, which may write it to the disk later."""
        with storing(self._path):
            self._file.flush()

    def sync(self) -> int:
        """Writes the buffer to the disk, and returns the length of the file in bytes."""
        self.flush()
        with storing(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # if the disk is full, ``flush`` has raised before
            self._file.close()


@dataclass(frozen=True, eq=False)
class ConfusionCounts:
    """Numbers of samples (or of steps with a label) by label and prediction, after one epoch.

    ``counts`` is int64 [labels, predictions]. ``undecided``, int64 [labels], is the number of
    samples without a prediction. ``epoch`` counts from 1.
    """

    counts: NDArray[np.int64]
    undecided: NDArray[np.int64]
    epoch: int

    @property
    def samples(self) -> NDArray[np.int64]:
        """The number of samples of each class, int64 [classes]."""
        return self.counts.sum(axis=1) + self.undecided

    @property
    def total(self) -> int:
        return int(self.samples.sum())


class MetricsRow(EpochMetrics):
    """A line of the file: the metrics of one epoch."""

    model_config = ConfigDict(extra="ignore")

    loss_terms: list[float | None] | None = None
    gradient_norms: dict[str, float | None] | None = None
    spike_rates: dict[str, float | None] | None = None
    confusion: list[list[Count]] | None = None
    undecided: Count | None = None
    undecided_by_label: tuple[Count, ...] = ()

    @model_validator(mode="after")
    def _check_confusion(self) -> MetricsRow:
        if self.confusion is not None:
            lengths = {len(row) for row in [self.undecided_by_label, *self.confusion]}
            classes = len(self.confusion)
            if lengths != {classes} or not 0 < classes <= MAX_MATRIX_CLASSES:
                raise ValueError("confusion is not square, or undecided_by_label does not match it")
        return self

    @property
    def confusion_counts(self) -> ConfusionCounts | None:
        if self.confusion is None:
            return None
        undecided = np.array(self.undecided_by_label, np.int64)
        return ConfusionCounts(np.array(self.confusion, np.int64), undecided, self.epoch + 1)


@dataclass(frozen=True, eq=False)
class Metrics:
    """The metrics of a run as columns [epochs]; NaN stands for an unknown value.

    ``epochs`` are the numbers of the epochs, from 1 (in the file from 0). ``columns`` maps each
    metric to its column, with losses as in the file until ``per_sample`` divides them. ``by_layer``
    maps (metric, layer), with a metric in ``PER_LAYER``, to the column of this layer. ``best`` is
    the row of the best epoch by ``selection_metric`` (see ``rank``), None if no value is finite;
    ``confusion`` are its confusion counts.
    """

    epochs: NDArray[np.int64]
    columns: dict[str, Column]
    by_layer: dict[tuple[str, str], Column]
    selection_metric: str
    best: int | None
    confusion: ConfusionCounts | None

    def __len__(self) -> int:
        return len(self.epochs)

    def has(self, name: str) -> bool:
        """Whether the metric ``name`` has a finite value in any epoch."""
        return bool(np.isfinite(self.columns[name]).any())

    def per_sample(self, divisors: Mapping[str, int]) -> Metrics:
        """Returns these metrics with each loss divided by its divisor (metric -> divisor)."""
        losses = {name: self.columns[name] / divisor for name, divisor in divisors.items()}
        return replace(self, columns=self.columns | losses)

    @property
    def watched_metric(self) -> str:
        """The loss that schedules and early stopping watch: of the validation samples if known."""
        return "validation_loss" if self.has("validation_loss") else "loss"

    @property
    def watched_losses(self) -> Column:
        return self.columns[self.watched_metric]

    @property
    def lowest(self) -> int | None:
        """The row of the lowest watched loss, the first of several; None if no loss is finite."""
        losses = self.watched_losses
        return int(np.nanargmin(losses)) if np.isfinite(losses).any() else None

    @property
    def part(self) -> str:
        """The part of the data whose accuracy is reported: ``validation`` or ``training``.

        That of training is an average over an epoch in which the weights changed, and so not that
        of the saved weights.
        """
        return "validation" if self.has("validation_accuracy") else "training"

    def at_best(self, metric: Literal["accuracy", "confidence"]) -> float | None:
        """Returns the metric of ``part`` in the best epoch; a confidence is the mean of samples."""
        name = f"validation_{metric}" if self.part == "validation" else metric
        return self.value_at(name, self.best)

    @property
    def overfits(self) -> bool:
        """Whether the training loss ended no higher than in the epoch of the best validation loss.

        Its end is the median over the last fifth of the epochs.
        """
        if self.watched_metric != "validation_loss" or self.lowest is None:
            return False
        losses, fifth = self.columns["loss"], len(self) // 5 or 1
        return bool(np.median(losses[-fifth:]) <= losses[self.lowest])

    def value_at(self, name: str, row: int | None) -> float | None:
        """Returns the value of a metric in a row; None if the value is unknown or infinite."""
        value = math.nan if row is None else float(self.columns[name][row])
        return value if math.isfinite(value) else None


def rank(metrics: Mapping[str, float], metric: str | None) -> tuple[float, float]:
    """Returns two numbers whose order is that of epochs by ``metric``, the lowest for the best.

    The second one decides between equal metrics: the loss, of the validation samples if there are
    any. None stands for this loss. NaN is an unknown value, and the worst.
    """
    loss = metrics.get("validation_loss", math.nan)
    loss = metrics["loss"] if math.isnan(loss) else loss
    value = loss if metric is None else metrics[metric]
    value = value if metric is None or metric in LOWER_IS_BETTER else -value
    return math.inf if math.isnan(value) else value, math.inf if math.isnan(loss) else loss


def read_metrics(
    run: Path, layers: Sequence[str], epochs: int, best_by: str | None = None
) -> Metrics:
    """Reads the metrics of a run whose document asks for ``epochs`` epochs.

    ``best_by`` is the document's ``training.best``; None, as in an older netdesc, stands for the
    loss. The result has columns for ``layers``, and a row for each epoch up to the last in the
    file. An incomplete last line is ignored. Raises RunError if the file is missing or a line is
    damaged.
    """
    rows, lowest, best, confusion = array("q"), (math.inf, math.inf), None, None
    values = {name: array("d") for name in PER_EPOCH}  # compact, as a run may have a million epochs
    layer_values = {(kind, layer): array("d") for kind in PER_LAYER for layer in layers}
    for number, row in enumerate(read_rows(run), 1):
        previous = rows[-1] if rows else -1
        if not previous < row.epoch < max(epochs, number):
            problem = f"epoch {row.epoch} after {previous}, in a run of {epochs}"
            raise RunError(f"{run / METRICS}: line {number} is damaged: {problem}")
        rows.append(row.epoch)
        for name, column in values.items():
            value = getattr(row, name)
            column.append(math.nan if value is None else value)
        for (kind, layer), column in layer_values.items():
            value = (getattr(row, kind) or {}).get(layer)
            column.append(math.nan if value is None else value)
        order = rank({name: column[-1] for name, column in values.items()}, best_by)
        if order < lowest:
            lowest, best, confusion = order, row.epoch, row.confusion_counts
    count = rows[-1] + 1 if rows else 0

    def by_epoch(values: array[float]) -> Column:
        column = np.full(count, np.nan)
        column[rows] = values
        return column

    columns = {name: by_epoch(column) for name, column in values.items()}
    by_layer = {key: by_epoch(column) for key, column in layer_values.items()}
    if best_by is None:
        best_by = "validation_loss" if np.isfinite(columns["validation_loss"]).any() else "loss"
    return Metrics(np.arange(1, count + 1), columns, by_layer, best_by, best, confusion)


def read_rows(run: Path) -> Iterator[MetricsRow]:
    """Yields the rows of a run's ``metrics.jsonl``; a killed run may end in a part of a line.

    Raises RunError if the file is missing or a line is damaged.
    """
    path = run / METRICS
    with open_to_read(path) as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield MetricsRow.model_validate_json(line)
            except ValidationError as error:
                raise RunError(f"{path}: line {number} is damaged: {explain(error)}") from error
