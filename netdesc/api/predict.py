"""Predicts the outputs and the classes of samples, and writes them to files."""

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc import machine
from netdesc.api.compile import Compiled, Source, open_network
from netdesc.api.encode import sample_settings
from netdesc.atomic_write import atomic_path
from netdesc.data.batches import Batches
from netdesc.data.data_errors import DataError
from netdesc.data.memory_data import MemoryData
from netdesc.data.samples import SampleSpec
from netdesc.data.torch_dataset import DatasetReader, is_dataset
from netdesc.events.numbers import number_array
from netdesc.graph import Graph
from netdesc.graph.nodes import Signal
from netdesc.losses import MeanSquaredErrorLoss, SpikeMoidLoss, build_classifier, majority
from netdesc.losses.classifier import OutputClassifier, most_active
from netdesc.losses.loss import OVER
from netdesc.runs.run_record import read_record

BATCH_SIZE = 64
"""The number of samples that are computed together if no document says it."""


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """The outputs of a network for some samples, in the order of the samples.

    ``outputs`` of a network with classes are the numbers that its classifier compares, such as
    rates, float32 [samples, classes], or [samples, steps, classes] if it compares steps or windows.
    Of a network that learns target spikes they are the output, [samples, steps, *output shape],
    uint8 unless a value is no number of spikes. Of target values they are what the loss compares,
    and of multi-hot labels the probabilities, float32 [samples, *shape] or [samples, steps,
    *shape]. Steps that the loss skips are left out, so that the first one is ``first_step``; it is
    None if ``outputs`` have no steps.

    ``classes`` are int64 [samples], or [samples, steps] if each step has a label; -1 is a silent
    output. ``confidence`` has their shape: the share of the class in the outputs or its softmax, 0
    to 1. Both are None without classes. ``labels`` are those of the data, None if there are none.
    ``samples`` are the numbers of the samples, from 0, in the arrays that hold them or in the list
    of their part. A file has these arrays by the names sample, outputs, predictions (the classes),
    confidence and labels.
    """

    outputs: NDArray
    samples: NDArray[np.int64]
    first_step: int | None
    classes: NDArray[np.int64] | None = None
    confidence: NDArray[np.float32] | None = None
    labels: NDArray | None = None
    warnings: list[str] = field(default_factory=list[str])

    def __repr__(self) -> str:
        arrays = [item for item in vars(self).items() if isinstance(item[1], np.ndarray)]
        shapes = (f"{name} {list(array.shape)}" for name, array in arrays)
        return f"Predictions({', '.join(shapes)})"

    @property
    def arrays(self) -> dict[str, NDArray]:
        """The arrays of a file, by name."""
        names = ("sample", "labels", "predictions", "confidence", "outputs")
        arrays = self.samples, self.labels, self.classes, self.confidence, self.outputs
        pairs = zip(names, arrays, strict=True)
        return {name: array for name, array in pairs if array is not None}


def predict(network: Source, inputs: Any) -> Predictions:
    """Predicts the outputs of samples, with their classes if the network has any.

    ``network`` is anything that ``compile`` takes; a run has its best weights, and its data files
    need not exist any more. ``inputs`` are an array, a tensor or a list: spikes [samples, steps,
    *input shape], or values [samples, *input shape], which are encoded as those of the document's
    data or of the arrays on which the run trained; or a torch dataset, whose labels are not used.
    The numbers are those of ``evaluate``. DataError if inputs do not fit.

    >>> netdesc.predict("examples/oxford.json", torch.zeros(2, 1900, 200))
    Predictions(outputs [2, 1900, 200], samples [2])
    """
    opened = open_network(network, with_files=False)
    compiled, description, folder, *_ = opened
    warnings, section = opened.warnings, sample_settings(opened)
    has_step_labels = folder is not None and bool(read_record(folder).labels_by_step)
    if is_dataset(inputs):
        reader = DatasetReader(machine.free_bytes, warnings.append)
        array, _ = MemoryData.of({"test": inputs}, reader).parts["test"]
    else:
        try:
            array = number_array(inputs)
        except ValueError as error:
            raise DataError(f"inputs: {error}") from error
    spec = SampleSpec.of(compiled.graph)
    # Samples without labels are like those of an autoencoder, which learns its inputs.
    spec = replace(spec, output_shape=spec.input_shape, decimation=1, classes=None)
    spec = replace(spec, learns_from="target values", labels_by_step=True)
    memory = MemoryData({"inputs": (array, None)}, {}).with_defaults(section)
    samples = memory.samples(spec, warnings.append)["inputs"]
    size, seed = BATCH_SIZE, 0
    if description is not None:
        training = description.document.training
        size, seed = training.batch_size or BATCH_SIZE, training.seed
    model = compiled.model
    batches = Batches(samples, size, next(model.parameters()).device, seed)
    collector = PredictionCollector(compiled, has_step_labels)
    with torch.no_grad(), model.evaluating():
        for batch in batches.in_order():
            model.reset_state()
            collector.add(model.signals(batch.input_TBN))
    return collector.predictions(samples.indices, warnings)


class PredictionCollector:
    """Collects what ``Predictions`` hold, batch by batch."""

    def __init__(self, compiled: Compiled, has_step_labels: bool = False) -> None:
        graph, loss = compiled.graph, compiled.loss.main
        self._graph, self._loss, self._has_step_labels = graph, loss, has_step_labels
        self._classifier = None if graph.classifier is None else build_classifier(graph)
        self._parts: dict[str, list[NDArray]] = {}
        self._first_step: int | None = None

    @torch.no_grad()
    def add(self, signals: Mapping[Signal, torch.Tensor], target: torch.Tensor | None = None):
        """Adds a batch: what ``Network.signals`` returns, and its target if there is one."""
        section, loss = self._graph.loss, self._loss
        signal = signals[self._graph.signal_of(section)]
        if self._classifier is not None:
            self._add_classes(self._classifier, signals[self._graph.output], target)
        elif isinstance(loss, SpikeMoidLoss):
            hot = torch.zeros_like(signal[0]) if target is None else target
            logits, labels = loss.logits(signal, hot)
            self._add_outputs(logits.sigmoid(), section.is_by_step, section.skip_steps)
            if target is not None:
                self._keep("labels", labels, section.is_by_step)
        elif isinstance(loss, MeanSquaredErrorLoss):
            values = OVER[loss.over](loss.drop_skipped_steps(signal).float())
            self._add_outputs(values, section.is_by_step, section.skip_steps)
        else:
            spikes = signal.to(torch.uint8)
            self._add_outputs(spikes if (spikes == signal).all() else signal, True, 0)

    def _add_classes(
        self, classifier: OutputClassifier, output_TBN: torch.Tensor, labels: torch.Tensor | None
    ) -> None:
        values, skipped = classifier.values(output_TBN), classifier.skip_steps
        classes, confidence = most_active(values), classifier.confidence(output_TBN)
        has_step_labels = self._has_step_labels if labels is None else labels.dim() == 2
        has_steps = values.dim() == 3
        if has_steps and not has_step_labels:
            classes, confidence = majority(classes, values.shape[-1]), confidence.mean(0)
        self._add_outputs(values if has_steps else values.unsqueeze(0), has_steps, skipped)
        parts = {"classes": classes, "confidence": confidence}
        if labels is not None:
            parts["labels"] = labels[skipped:] if labels.dim() == 2 else labels
        for name, part in parts.items():
            self._keep(name, part if part.dim() == 2 else part.unsqueeze(0), part.dim() == 2)

    def _add_outputs(self, values: torch.Tensor, has_steps: bool, first_step: int) -> None:
        self._keep("outputs", values, has_steps)
        self._first_step = first_step if has_steps else None

    def _keep(self, name: str, values: torch.Tensor, has_steps: bool) -> None:
        """Adds values [steps, batch, …], or [1, batch, …] without steps."""
        by_sample = values.transpose(0, 1) if has_steps else values[0]
        # A copy, because a view would keep the whole batch.
        self._parts.setdefault(name, []).append(np.array(by_sample.cpu().numpy()))

    def predictions(self, samples: NDArray[Any], warnings: list[str]) -> Predictions:
        """Returns all that was added; ``samples`` are the numbers of the samples."""
        arrays = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        indices, first = samples.astype(np.int64), self._first_step
        return Predictions(samples=indices, first_step=first, warnings=warnings, **arrays)


@contextlib.contextmanager
def prediction_file(path: str | Path, graph: Graph) -> Iterator[Callable[[Predictions], None]]:
    """Yields what writes the arrays of ``Predictions`` to an ``.npz`` file or a table in ``.csv``.

    A table has a row for each sample or, if outputs have steps, for each sample and step, in the
    columns sample, step, label, prediction, confidence, output_0, output_1, … The file replaces
    ``path`` at the end (see ``atomic_path``). DataError if ``path`` has another suffix, or if its
    format cannot hold spikes.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise DataError(f"{path}: the name of a file of predictions ends in .npz or .csv")
    if suffix == ".csv" and graph.loss.learns_from == "target spikes":
        raise DataError(f"{path}: a table cannot hold the spikes of steps and neurons; write .npz")
    with atomic_path(path) as temporary:
        yield lambda predictions: _WRITERS[suffix](temporary, predictions)


def _write_csv(path: Path, predictions: Predictions) -> None:
    arrays, first = predictions.arrays, predictions.first_step
    samples = len(arrays["sample"])
    steps = 1 if first is None else predictions.outputs.shape[1]
    columns: dict[str, NDArray] = {"sample": np.repeat(arrays.pop("sample"), steps)}
    if first is not None:
        columns["step"] = np.tile(np.arange(first, first + steps), samples)
    for name, array in arrays.items():
        has_steps = first is not None and array.shape[1:2] == (steps,) and array.ndim > 1
        rows = array if has_steps else np.repeat(array, steps, axis=0)
        rows = rows.reshape(samples * steps, -1)
        column, is_one = name.removesuffix("s"), name != "outputs" and rows.shape[1] == 1
        for index, values in enumerate(rows.T):
            columns[column if is_one else f"{column}_{index}"] = values
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        # As text, float32 has its own digits, not those of the nearest float64.
        writer.writerows(zip(*(values.astype(str) for values in columns.values()), strict=True))


_WRITERS: dict[str, Callable[[Path, Predictions], None]] = {
    ".npz": lambda path, predictions: np.savez(path, **cast("Any", predictions.arrays)),
    ".csv": _write_csv,
}
