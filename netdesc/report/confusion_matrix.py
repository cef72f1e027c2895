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


class ConfusionMatrix:
    """The table that the report shows.

    ``items`` names the counted things, for example "validation samples"; ``unit`` is "samples" or
    "steps". ``epoch`` counts from 1. ``undecided`` is the number of samples without a prediction.
    If it is not 0, each row has an additional last count, that of such samples.
    """

    def __init__(self, confusion: ConfusionCounts, items: str, unit: str) -> None:
        self.items, self.unit, self.epoch = items, unit, confusion.epoch
        self.undecided = int(confusion.undecided.sum())
        counts, samples = confusion.counts, confusion.samples
        correct, predicted = np.diag(counts), counts.sum(axis=0)
        if self.undecided:
            counts = np.column_stack([counts, confusion.undecided])
        self.rows = [
            ClassRow(
                label,
                row.tolist(),
                int(samples[label]),
                _share(correct[label], samples[label]),
                _share(correct[label], predicted[label]),
            )
            for label, row in enumerate(counts)
        ]
        self.accuracy = _share(correct.sum(), samples.sum())


def _share(part: np.int64, whole: np.int64) -> str:
    return percent(float(part / whole) if whole else None)
