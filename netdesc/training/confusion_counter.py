"""Counts the confusion matrix on the device, and computes the accuracy from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netdesc.losses import SILENT, Classifier, majority

MAX_MATRIX_CLASSES = 64
"""With more classes, only right, wrong and missing predictions are counted, without a matrix."""

_WRONG, _RIGHT, _UNDECIDED = range(3)


@dataclass(frozen=True)
class Score:
    """The accuracy and the confusion matrix of a classifier on some samples (or on their steps)."""

    accuracy: float
    """The share of correct predictions, 0 to 1; a missing prediction counts as wrong."""
    undecided: int
    """The number of missing predictions; a prediction is missing if the output is silent."""
    confidence: float
    """The mean confidence of the predictions, 0 to 1; of a missing prediction it is 0."""
    confusion: list[list[int]] | None
    """Counts by label (row) and predicted class (column); None above ``MAX_MATRIX_CLASSES``."""
    undecided_by_label: list[int] | None = None
    """The number of missing predictions by label; None if ``confusion`` is None."""


class ConfusionCounter:
    """Counts the predictions for all batches, without waiting for the device.

    Each pair of label and prediction has its own count. Above ``MAX_MATRIX_CLASSES`` there are only
    the counts of right, wrong and missing predictions.
    """

    def __init__(self, classifier: Classifier, classes: int, device: torch.device) -> None:
        self._classifier = classifier
        self._classes = classes
        self._has_matrix = classes <= MAX_MATRIX_CLASSES
        self._width = classes + 1  # the last column is for samples without a prediction
        size = classes * self._width if self._has_matrix else 3
        # The last two numbers are the sum of the confidences, and their number.
        self._counts = torch.zeros(size + 2, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, output_TBN: Tensor, labels: Tensor) -> None:
        """Counts the predictions for a batch.

        ``output_TBN`` are output spikes [steps, batch, *shape], ``labels`` are [batch] or
        [steps, batch].
        """
        labels = labels.to(torch.int64)
        predictions = decide(self._classifier(output_TBN), labels, self._classes)
        if self._has_matrix:
            column = torch.where(predictions == SILENT, self._classes, predictions)
            cells = labels * self._width + column
        else:
            right = (predictions == labels).to(torch.int64)  # _RIGHT or _WRONG
            cells = torch.where(predictions == SILENT, _UNDECIDED, right)
        one = self._counts.new_ones(())  # ``bincount`` would wait for the device
        self._counts.scatter_add_(0, cells.flatten(), one.expand(cells.numel()))
        confidence = self._classifier.confidence(output_TBN).double().flatten()
        self._counts[-2] += confidence.sum()
        self._counts[-1] += confidence.numel()

    def pop_counts(self) -> Tensor:
        """Returns the counts since the last call, and sets them to 0.

        They are float64 [counts] on the device; ``score`` computes a ``Score`` from them.
        """
        counts = self._counts.clone()
        self._counts.zero_()  # in place: a captured step writes to a fixed address
        return counts

    def score(self, counts: Sequence[float]) -> Score:
        *counts, confidence, predictions = counts
        total, confidence = sum(counts), confidence / predictions
        if not self._has_matrix:
            return Score(counts[_RIGHT] / total, int(counts[_UNDECIDED]), confidence, None)
        width = self._width
        rows = [
            [int(n) for n in counts[label * width : (label + 1) * width]]
            for label in range(self._classes)
        ]
        right = sum(row[label] for label, row in enumerate(rows))
        undecided = [row.pop() for row in rows]
        return Score(right / total, sum(undecided), confidence, rows, undecided)


def decide(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Converts predictions to the shape of the labels, [steps, batch] or [batch].

    If predictions are [steps, batch] and labels [batch], takes the class that most steps predict.
    If predictions are [batch] and labels [steps, batch], repeats each prediction in every step.
    """
    if predictions.dim() == 2 and labels.dim() == 1:
        return majority(predictions, classes)
    return predictions.expand(labels.shape)
