"""Evaluates a network: its loss, and its predictions with their accuracy and confusion matrix.

Predictions are counted on the device.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netdesc.data.batches import Batch, Batches
from netdesc.graph import Graph
from netdesc.graph.nodes import Signal
from netdesc.losses import SILENT, OutputClassifier, SpikeMoidLoss, TotalLoss, build_classifier
from netdesc.losses.classifier import is_in_top, judged_values, most_active
from netdesc.modules import Network
from netdesc.runs.metrics_file import MAX_MATRIX_CLASSES
from netdesc.training.ranks import ALONE, Ranks

_WRONG, _RIGHT, _UNDECIDED = range(3)

CONFIDENCE = -2
"""Where counts have the sum of the confidences."""


@dataclass(frozen=True)
class Score:
    """The accuracy and the confusion matrix of a classifier on some samples (or on their steps).

    Of multi-hot labels, a prediction is correct if all labels are, and is never missing.
    """

    accuracy: float
    """The share of correct predictions, 0 to 1; a missing prediction counts as wrong."""
    undecided: int
    """The number of missing predictions; a prediction is missing if the output is silent."""
    confidence: float
    """The mean confidence of the predictions, 0 to 1; of a missing prediction it is 0."""
    confusion: list[list[int]] | None
    """Counts by label (row) and predicted class (column); None above ``MAX_MATRIX_CLASSES``, and of
    multi-hot labels."""
    undecided_by_label: list[int] | None = None
    """The number of missing predictions by label; None if ``confusion`` is None."""
    macro_f1: float | None = None
    """The mean of ``f1_by_class`` over the classes that are a label or a prediction."""
    precision_by_class: list[float] | None = None
    """The share of correct predictions among those of each class, 0 of a class never predicted."""
    recall_by_class: list[float] | None = None
    """The share of correct predictions among the labels of each class, of which missing
    predictions are part; 0 of a class without labels."""
    f1_by_class: list[float] | None = None
    """2·p·r / (p + r) of precision and recall. The four are None if ``confusion`` is."""
    top_k: int | None = None
    """The number of classes of ``top_k_accuracy``, see ``choose_top_k``; None if not counted."""
    top_k_accuracy: float | None = None
    """The share of labels among the ``top_k`` classes of the largest values (``is_in_top``)."""

    @property
    def fields(self) -> dict[str, float]:
        """Returns the single numbers beside accuracy and confidence, if there are any."""
        values = {name: getattr(self, name) for name in ("macro_f1", "top_k", "top_k_accuracy")}
        return {name: value for name, value in values.items() if value is not None}


def choose_top_k(classes: int) -> int | None:
    """Returns 5 for more than 10 classes, 3 for 5 to 10; of fewer, top-k accuracy says little."""
    return 5 if classes > 10 else 3 if classes >= 5 else None


def class_scores(confusion: Sequence[Sequence[int]], undecided: Sequence[int]) -> dict[str, Any]:
    """Returns F1, precision and recall as fields of ``Score``.

    They are those of scikit-learn with ``zero_division=0``, and silence is no class.
    """
    right = [row[label] for label, row in enumerate(confusion)]
    predicted = [sum(column) for column in zip(*confusion, strict=True)]
    labels = [sum(row) + missing for row, missing in zip(confusion, undecided, strict=True)]
    sizes = list(zip(right, predicted, labels, strict=True))
    f1 = [2 * hits / max(1, guesses + size) for hits, guesses, size in sizes]
    return {
        "macro_f1": sum(f1) / max(1, sum(guesses + size > 0 for _, guesses, size in sizes)),
        "precision_by_class": [hits / max(1, guesses) for hits, guesses, _ in sizes],
        "recall_by_class": [hits / max(1, size) for hits, _, size in sizes],
        "f1_by_class": f1,
    }


class Counter:
    """The base of counters, which count the predictions for all batches without waiting for the
    device. ``signal`` is what ``add`` takes of the network.
    """

    def __init__(self, signal: Signal, size: int, device: torch.device) -> None:
        self.signal = signal
        self.counts = torch.zeros(size + 2, dtype=torch.float64, device=device)
        """Of the batches since the last ``pop_counts``: whole numbers, among them the number of
        confidences as the last one, but for the sum of the confidences at ``CONFIDENCE``."""

    def add(self, output_TBN: Tensor, labels: Tensor) -> None:
        raise NotImplementedError

    def score(self, counts: Sequence[float]) -> Score:
        raise NotImplementedError

    def count(self, output_TBN: Tensor, labels: Tensor) -> Tensor:
        """Returns the counts of this output alone, float64 [counts], which are not added."""
        total = self.pop_counts()
        self.add(output_TBN, labels)
        counts = self.pop_counts()
        self.counts += total
        return counts

    def pop_confidence(self) -> Tensor:
        """Returns the sum of the confidences since the last call, float64 [], and sets it to 0."""
        confidence = self.counts[CONFIDENCE].clone()
        self.counts[CONFIDENCE] = 0.0
        return confidence

    def pop_counts(self) -> Tensor:
        """Returns the counts since the last call, float64 [counts], and sets them to 0."""
        counts = self.counts.clone()
        self.counts.zero_()  # in place: a captured step writes to a fixed address
        return counts


class ConfusionCounter(Counter):
    """Counts each pair of label and prediction.

    Above ``MAX_MATRIX_CLASSES`` it only counts right, wrong and missing predictions. With
    ``top_k``, it also counts labels among so many classes.
    """

    def __init__(
        self,
        classifier: OutputClassifier,
        classes: int,
        signal: Signal,
        device: torch.device,
        top_k: int | None = None,
    ) -> None:
        self._top_k = top_k
        self._classifier = classifier
        self._classes = classes
        self._has_matrix = classes <= MAX_MATRIX_CLASSES
        self._width = classes + 1  # the last column is for samples without a prediction
        size = classes * self._width if self._has_matrix else 3
        super().__init__(signal, size + 1, device)  # the last one is of labels in the top k

    @torch.no_grad()
    def add(self, output_TBN: Tensor, labels: Tensor) -> None:
        """Counts predictions of output [steps, batch, *shape]; labels are [batch] or [steps, …]."""
        labels = labels.to(torch.int64)
        if labels.dim() == 2:
            labels = labels[self._classifier.skip_steps :]
        values = judged_values(self._classifier.values(output_TBN), labels)
        predictions = most_active(values)
        if self._has_matrix:
            column = torch.where(predictions == SILENT, self._classes, predictions)
            cells = labels * self._width + column
        else:
            right = (predictions == labels).to(torch.int64)  # _RIGHT or _WRONG
            cells = torch.where(predictions == SILENT, _UNDECIDED, right)
        one = self.counts.new_ones(())  # ``bincount`` would wait for the device
        self.counts.scatter_add_(0, cells.flatten(), one.expand(cells.numel()))
        if self._top_k is not None:
            self.counts[-3] += is_in_top(values, labels, self._top_k).sum()
        confidence = self._classifier.confidence(output_TBN).double().flatten()
        self.counts[CONFIDENCE] += confidence.sum()
        self.counts[-1] += confidence.numel()

    def score(self, counts: Sequence[float]) -> Score:
        *counts, in_top, confidence, predictions = counts
        total, confidence = sum(counts), confidence / predictions
        top_k: dict[str, Any] = {}
        if self._top_k is not None:
            top_k = {"top_k": self._top_k, "top_k_accuracy": in_top / total}
        if not self._has_matrix:
            undecided = int(counts[_UNDECIDED])
            return Score(counts[_RIGHT] / total, undecided, confidence, None, **top_k)
        rows: list[list[int]] = np.array(counts, np.int64).reshape(-1, self._width).tolist()
        right = sum(row[label] for label, row in enumerate(rows))
        undecided = [row.pop() for row in rows]
        more = class_scores(rows, undecided) | top_k
        return Score(right / total, sum(undecided), confidence, rows, undecided, **more)


class MultiHotCounter(Counter):
    """Counts samples, or steps if the loss compares steps, of which all labels are predicted.

    A label is predicted if its probability is above 1/2. The confidence is the probability of all
    predictions of a sample together.
    """

    def __init__(self, loss: SpikeMoidLoss, signal: Signal, device: torch.device) -> None:
        super().__init__(signal, 1, device)
        self._loss = loss

    @torch.no_grad()
    def add(self, output_TBN: Tensor, labels: Tensor) -> None:
        logits, labels = self._loss.logits(output_TBN, labels)
        right = ((logits > 0) == (labels > 0)).flatten(2).all(-1).double()
        confidence = logits.double().abs().sigmoid().flatten(2).prod(-1)
        self.counts += torch.stack([right.sum(), confidence.sum(), torch.ones_like(right).sum()])

    def score(self, counts: Sequence[float]) -> Score:
        right, confidence, predictions = counts
        return Score(right / predictions, 0, confidence / predictions, None)


def build_counter(
    graph: Graph, loss: TotalLoss, device: torch.device, *, with_top_k: bool = False
) -> Counter | None:
    """Returns a new counter of predictions, or None if samples have no labels."""
    if graph.classes is not None:
        top_k = choose_top_k(graph.classes) if with_top_k else None
        return ConfusionCounter(build_classifier(graph), graph.classes, graph.output, device, top_k)
    if isinstance(loss.main, SpikeMoidLoss):
        return MultiHotCounter(loss.main, graph.signal_of(graph.loss), device)
    return None


OnBatch = Callable[[Batch, Mapping[Signal, Tensor]], None]
"""Function of a batch and of what ``Network.signals`` returns for it."""


class DealtBatches:
    """Batches in order, dealt to processes, and two numbers of each batch, summed in order.

    Iterating yields the batches of this process, each with a tensor for its two numbers, float64.
    The first process gets the last batch.
    """

    def __init__(self, batches: Batches, ranks: Ranks) -> None:
        self._batches, self._ranks, self._count = batches, ranks, len(batches)
        share = -(-self._count // ranks.size)
        self._rows = torch.zeros(share, 2, dtype=torch.float64, device=batches.device)

    def __iter__(self) -> Iterator[tuple[Batch, Tensor]]:
        ranks, count = self._ranks, self._count
        first = (count - 1 - ranks.rank) % ranks.size
        own = self._batches.in_order(range(first, count, ranks.size))
        yield from zip(own, self._rows, strict=False)

    def sums(self) -> Tensor:
        """Returns the sums over all batches, float64 [2]; the first one is added in float32.

        Waits for the device.
        """
        rows, last = self._ranks.gather(self._rows), self._count - 1
        by_first = [rows[(last - first) % len(rows)] for first in range(len(rows))]
        rows_B2 = torch.stack(by_first, 1).flatten(0, 1)[: self._count].cpu().numpy()
        losses, numbers = rows_B2[:, 0].astype(np.float32), rows_B2[:, 1]
        return torch.tensor([np.cumsum(losses)[-1], np.cumsum(numbers)[-1]], dtype=torch.float64)


@torch.no_grad()
def measure(
    network: Network,
    loss: TotalLoss,
    batches: Batches,
    counter: Counter | None = None,
    on_batch: OnBatch | None = None,
    ranks: Ranks = ALONE,
) -> tuple[float, Score | None]:
    """Computes loss and score of the network, in evaluation mode, over all samples in order.

    The score is None without ``counter``. The device is waited for only at the end. The batches are
    dealt to ``ranks``, and ``on_batch`` is called with those of this process.
    """
    dealt, reduction = DealtBatches(batches, ranks), network.graph.loss.reduction
    with network.evaluating():
        for batch, numbers in dealt:
            network.reset_state()
            signals = network.signals(batch.input_TBN)
            value = loss(signals, batch.target)
            numbers[0] = value * batch.loss_weight(reduction, len(batches.samples))
            if counter is not None:
                counter.add(signals[counter.signal], batch.target)
                numbers[1] = counter.pop_confidence()
            if on_batch is not None:
                on_batch(batch, signals)
    total, confidence = dealt.sums().tolist()
    if counter is None:
        return total, None
    counts = torch.stack(ranks.gather(counter.pop_counts())).sum(0).tolist()
    counts[CONFIDENCE] = confidence
    return total, counter.score(counts)


@torch.no_grad()
def spikes_per_sample(network: Network, batches: Batches, check: Callable[[], None]) -> float:
    """Counts the outputs but 0 of all neurons over all steps, and returns their mean over samples.

    The network is in evaluation mode. ``check`` is called after each batch, and may raise.
    """
    spikes = 0
    with network.evaluating():
        for batch in batches.in_order():
            network.reset_state()
            network(batch.input_TBN)
            counts = (block.counts for _, block in network.blocks())
            spikes += sum(int(layer.spikes) for layer in counts if layer is not None)
            check()
    return spikes / len(batches.samples)


@torch.no_grad()
def silent_loss(
    graph: Graph, loss: TotalLoss, batches: Batches, check: Callable[[], None], ranks: Ranks = ALONE
) -> float:
    """Computes the loss of an output that never spikes; a trained network should have a lower one.

    The network learns target spikes. ``check`` is called after each batch, and may raise. The
    batches are dealt to ``ranks``.
    """
    dealt = DealtBatches(batches, ranks)
    for batch, numbers in dealt:
        silence = torch.zeros_like(batch.target)
        value = loss(dict.fromkeys(graph.signals, silence), batch.target)
        numbers[0] = value * batch.loss_weight(graph.loss.reduction, len(batches.samples))
        check()
    return dealt.sums()[0].item()
