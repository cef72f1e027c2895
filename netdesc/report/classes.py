"""The confusion matrix as a table with shades, and how well each class is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdesc.report.run import Run
from netdesc.report.samples import judged, labels_by_step
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
    ``none`` holds those that were given no class; None where there are none, or nobody knows.
    """

    label: int
    cells: list[Cell]
    none: Cell | None
    samples: int
    accuracy: str
    precision: str


@dataclass(frozen=True)
class Classes:
    """``part`` of the data, after ``epoch``; ``undecided`` samples were given no class.

    ``judged`` says what is counted, in words, and ``unit`` the same in one: where each step has a
    label, steps stand for samples everywhere. ``has_none`` says whether the table has a column for
    the undecided ones.
    """

    part: str
    judged: str
    unit: str
    epoch: int
    rows: list[ClassRow]
    accuracy: str
    undecided: int
    has_none: bool


def classes(run: Run) -> Classes | None:
    """The confusion of the best epoch, None where the run has none."""
    confusion = run.metrics.confusion
    if confusion is None:
        return None
    counts = confusion.counts
    right, given = np.diag(counts), counts.sum(axis=0)
    samples, undecided = confusion.by_label, confusion.undecided_by_label
    has_none = undecided is not None and bool(confusion.undecided)

    def cell(label: int, count: int, is_right: bool) -> Cell:
        return Cell(int(count), float(count / max(1, samples[label])), is_right)

    rows = [
        ClassRow(
            label=label,
            cells=[cell(label, count, n == label) for n, count in enumerate(counts[label])],
            none=None
            if undecided is None or not has_none
            else cell(label, undecided[label], False),
            samples=int(samples[label]),
            accuracy=_share(int(right[label]), int(samples[label])),
            precision=_share(int(right[label]), int(given[label])),
        )
        for label in range(len(counts))
    ]
    part = "validation" if run.metrics.has("validation_accuracy") else "training"
    return Classes(
        part=part,
        judged=judged(run, part),
        unit="steps" if labels_by_step(run) else "samples",
        epoch=confusion.epoch,
        rows=rows,
        accuracy=_share(int(right.sum()), confusion.total),
        undecided=confusion.undecided,
        has_none=has_none,
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)
