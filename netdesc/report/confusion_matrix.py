"""The confusion matrix as a table with shades, and how well each class is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netdesc.report.format import percent
from netdesc.report.run import Run


@dataclass(frozen=True)
class Cell:
    """``share`` of the row's samples, 0 to 1, sets the shade."""

    count: int
    share: float
    is_right: bool


class ClassRow(NamedTuple):
    """The samples of one class: what they were given, in the order of the columns.

    ``accuracy`` is of the samples of this class, ``precision`` of those that were given it.
    """

    label: int
    cells: Sequence[Cell]
    samples: int
    accuracy: str
    precision: str


class ConfusionMatrix(NamedTuple):
    """``judged`` says in words what is counted, ``unit`` in one; ``epoch`` counts from 1.

    Where any of ``undecided`` samples were given no class, the table has a last column for them.
    """

    judged: str
    unit: str
    epoch: int
    rows: Sequence[ClassRow]
    accuracy: str
    undecided: int


def confusion_matrix(run: Run) -> ConfusionMatrix | None:
    """The confusion of the best epoch, None where the run has none."""
    confusion = run.metrics.confusion
    if confusion is None:
        return None
    counts, samples, undecided = confusion.counts, confusion.samples, int(confusion.undecided.sum())
    right, given = np.diag(counts), counts.sum(axis=0)
    if undecided:
        counts = np.column_stack([counts, confusion.undecided])
    rows = [
        ClassRow(
            label,
            [
                Cell(int(count), float(count / max(1, samples[label])), column == label)
                for column, count in enumerate(line)
            ],
            int(samples[label]),
            _share(right[label], samples[label]),
            _share(right[label], given[label]),
        )
        for label, line in enumerate(counts)
    ]
    accuracy = _share(right.sum(), samples.sum())
    return ConfusionMatrix(run.judged, run.unit, confusion.epoch, rows, accuracy, undecided)


def _share(part: np.int64, whole: np.int64) -> str:
    return percent(float(part / whole) if whole else None)
