"""Measures loss, accuracy and spike rates of a network on a split of its data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from netdesc.api.compile import Compiled, compile, compile_run, untrained_warnings
from netdesc.description import Description, load
from netdesc.graph import INPUT
from netdesc.losses import build_classifier
from netdesc.training import DataError, Run
from netdesc.training.batches import Batch, Batches
from netdesc.training.confusion_counter import ConfusionCounter, Score
from netdesc.training.errors import MissingDataError
from netdesc.training.evaluate import measure
from netdesc.training.samples import Samples, SampleSpec
from netdesc.training.splits import read_splits

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("test", "validation", "train")
"""The splits of the data. The default is the first of these splits that has samples."""


@dataclass(frozen=True)
class LayerRate:
    """The spike rate of a layer or of the input: mean spikes per neuron and step."""

    layer: str
    neurons: int
    rate: float


@dataclass(frozen=True)
class TargetMatch:
    """Counts of target spikes.

    ``met`` counts the target spikes that the output has in the same step and neuron.
    """

    target_spikes: int
    met: int


@dataclass(frozen=True)
class Evaluation:
    """The measurements on the samples of ``part``.

    ``loss`` is per sample. If ``summed``, the document's loss is a sum over samples, which is
    divided by their number here; otherwise it is a mean already. If the network classifies,
    ``matched`` is None; otherwise ``score`` is None. ``judged`` says what the score counts:
    ``steps`` if each step has a label, ``samples`` if each sample has one, or None. ``classifier``
    is the rule that predicts the class: most spikes in the sample (``rate``), or in the last
    ``window_steps`` steps (``moving_window``).
    """

    part: Part
    samples: int
    loss: float
    summed: bool
    score: Score | None
    judged: Literal["samples", "steps"] | None
    classifier: Literal["rate", "moving_window"] | None
    window_steps: int | None
    matched: TargetMatch | None
    layers: list[LayerRate]
    warnings: list[str]


def evaluate(run: Run | str | Path, part: Part | None = None) -> Evaluation:
    """Measures a network on the split ``part`` of its data.

    ``run`` is a run, its folder, or the file of a document. A run is measured with its best
    weights; on ``validation``, the results equal those that training measured with these weights.
    ``part`` is by default the first of ``PARTS`` that has samples. DataError if the split has no
    samples or the data does not fit, DescriptionError if the document is invalid.
    """
    path = run.path if isinstance(run, Run) else Path(run)
    if path.is_dir():
        description, compiled = compile_run(path)
    elif path.suffix.lower() == ".net":
        error = DataError if path.exists() else MissingDataError
        raise error(f"{path}: a .net file names no data; give a run or a document")
    else:
        description = load(path)
        compiled = compile(description)
    warnings = [] if path.is_dir() else untrained_warnings(description.document)
    splits = read_splits(description, SampleSpec.of(compiled.graph), warnings.append)
    found: dict[Part, Samples] = {
        name: samples for name in PARTS if (samples := getattr(splits, name)) is not None
    }
    chosen: Part = part or next(iter(found))
    if chosen not in found:
        raise DataError(
            f"{path}: its data has no samples for {chosen}; there are: {', '.join(found)}"
        )
    return _evaluate(description, compiled, chosen, found[chosen], warnings)


def _evaluate(
    description: Description,
    compiled: Compiled,
    part: Part,
    samples: Samples,
    warnings: list[str],
) -> Evaluation:
    graph, training = compiled.graph, description.document.training
    spikes: Counter[str] = Counter()
    met = target_spikes = 0

    def count(batch: Batch, output_TBN: torch.Tensor) -> None:
        nonlocal met, target_spikes
        spikes[INPUT] += int(batch.input_TBN.count_nonzero())
        spikes.update({layer.name: layer.spikes for layer in compiled.model.engine_report()})
        if graph.classes is None:
            target_spikes += int(batch.target.count_nonzero())
            met += int(((batch.target != 0) & (output_TBN != 0)).sum())

    device, counter = torch.device("cpu"), None
    if graph.classes is not None:
        counter = ConfusionCounter(build_classifier(graph), graph.classes, device)
    batches = Batches(samples, training.batch_size, device, training.seed)
    loss, score = measure(graph, compiled.model, compiled.loss, batches, counter, on_batch=count)
    window = graph.classifier and graph.classifier.window_steps
    judged = None
    if samples.labels is not None:
        judged = "steps" if samples.labels.ndim == 2 else "samples"
    summed = graph.loss.reduction == "sum"
    return Evaluation(
        part=part,
        samples=len(samples),
        loss=loss / len(samples) if summed else loss,
        summed=summed,
        score=score,
        judged=judged,
        classifier=None if counter is None else "rate" if window is None else "moving_window",
        window_steps=window,
        matched=TargetMatch(target_spikes, met) if score is None else None,
        layers=_rates(compiled, spikes, len(samples)),
        warnings=warnings,
    )


def _rates(compiled: Compiled, spikes: Counter[str], samples: int) -> list[LayerRate]:
    graph = compiled.graph
    shapes = {INPUT: graph.input_shape} | {each.name: each.output_shape for each in graph.layers}
    neurons = {name: int(torch.Size(shapes[name]).numel()) for name in shapes if name in spikes}
    return [
        LayerRate(name, n, spikes[name] / (n * graph.steps * samples))
        for name, n in neurons.items()
    ]
