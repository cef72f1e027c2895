"""The confusion matrix of a run: its counts, and the table that the report shows.

``training/evaluate.py`` counts predictions during training and writes the counts to
``metrics.jsonl``. ``templates/confusion_matrix.html.j2`` is the HTML.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netdesc.report.format import percent
from netdesc.runs.metrics_file import ConfusionCounts


class ClassRow(NamedTuple):
    """One row of the table: the samples of one class, and ``counts`` of them by prediction.

    ``accuracy`` is the share of the class's samples that are predicted correctly, ``precision`` the
    share of the predictions of this class that are correct.
    """

    label: int
    counts: Sequence[int]
    samples: int
    accuracy: str
    precision: str


class ConfusionMatrix(NamedTuple):
    """The table that the report shows.

    ``items`` names the counted things, for example "validation samples"; ``unit`` is "samples" or
    "steps". ``epoch`` counts from 1. ``undecided`` is the number of samples without a prediction.
    If it is not 0, each row has an additional last count, that of such samples.
    """

    items: str
    unit: str
    epoch: int
    rows: Sequence[ClassRow]
    accuracy: str
    undecided: int


def confusion_matrix(confusion: ConfusionCounts, items: str, unit: str) -> ConfusionMatrix:
    """Builds the table. ``ConfusionMatrix`` explains ``items`` and ``unit``."""
    counts, samples, undecided = confusion.counts, confusion.samples, int(confusion.undecided.sum())
    correct, predicted = np.diag(counts), counts.sum(axis=0)
    if undecided:
        counts = np.column_stack([counts, confusion.undecided])
    rows = [
        ClassRow(
            label,
            row.tolist(),
            int(samples[label]),
            _share(correct[label], samples[label]),
            _share(correct[label], predicted[label]),
        )
        for label, row in enumerate(counts)
    ]
    accuracy = _share(correct.sum(), samples.sum())
    return ConfusionMatrix(items, unit, confusion.epoch, rows, accuracy, undecided)


def _share(part: np.int64, whole: np.int64) -> str:
    return percent(float(part / whole) if whole else None)
