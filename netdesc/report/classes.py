"""The confusion matrix as a table with shades, and how well each class is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdesc.report.run import Run
from netdesc.report.words import percent


@dataclass(frozen=True)
class Cell:
    """``share`` of the row's samples, 0 to 1, sets the shade."""

    count: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class ClassRow:
    """The samples of one class: where they went, and the shares that were right.

    ``accuracy`` is of the samples of this class, ``precision`` of those that were given it.
    """

    label: int
    cells: list[Cell]
    samples: int
    accuracy: str
    precision: str


@dataclass(frozen=True)
class Classes:
    """``part`` of the data, after ``epoch``; ``undecided`` samples were given no class."""

    part: str
    epoch: int
    rows: list[ClassRow]
    accuracy: str
    undecided: int


def classes(run: Run) -> Classes | None:
    """The confusion of the best epoch, None where the run has none."""
    confusion = run.metrics.confusion
    if confusion is None:
        return None
    counts = confusion.counts
    right, given = np.diag(counts), counts.sum(axis=0)
    samples = counts.sum(axis=1)
    rows = [
        ClassRow(
            label=label,
            cells=[
                Cell(int(count), float(count / max(1, samples[label])), column == label)
                for column, count in enumerate(counts[label])
            ],
            samples=int(samples[label]),
            accuracy=_share(int(right[label]), int(samples[label])),
            precision=_share(int(right[label]), int(given[label])),
        )
        for label in range(len(counts))
    ]
    return Classes(
        part="validation" if run.metrics.has("validation_accuracy") else "training",
        epoch=confusion.epoch,
        rows=rows,
        accuracy=_share(int(right.sum()), confusion.total),
        undecided=confusion.undecided,
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)
