"""Measures loss, accuracy and spike rates of a network on a split of its data."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from netdesc import machine
from netdesc.api.compile import Compiled, Source, open_network
from netdesc.api.encode import sample_settings
from netdesc.api.predict import BATCH_SIZE, PredictionCollector, prediction_file
from netdesc.data.batches import Batch, Batches
from netdesc.data.data_errors import DataError
from netdesc.data.memory_data import MemoryData
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.splits import read_splits
from netdesc.data.torch_dataset import DatasetReader
from netdesc.description import Description
from netdesc.description.diagnostics.wording import amount
from netdesc.description.outline import Cell, Outline, Outlined, first_warnings
from netdesc.graph import INPUT, build_graph
from netdesc.graph.nodes import Signal
from netdesc.losses import MeanSquaredErrorLoss, ValueErrors, ValueErrorSums, build_loss
from netdesc.training.class_weights import fill_class_weights
from netdesc.training.evaluate import Score, build_counter, measure
from netdesc.training.neurobench import NeuroBench

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


@dataclass(frozen=True, repr=False)
class Evaluation(Outlined):
    """The measurements on the samples of ``part``.

    ``loss`` is per sample. If ``summed``, the document's loss is a sum over samples, which is
    divided by their number here; otherwise it is a mean already. ``score`` is None unless the
    network learns labels, ``matched`` unless it learns target spikes, ``errors`` unless it learns
    target values. ``judged`` says what the score counts: ``steps`` if each step has a label,
    ``samples`` if each sample has one, or None. ``classifier`` predicts the class of the largest
    ``measure``, such as "spike rate": once for a sample (``rate``), or in each step, over the last
    ``window_steps`` steps (``moving_window``). These three are None without classes.
    """

    part: Part
    samples: int
    loss: float
    summed: bool
    score: Score | None
    judged: Literal["samples", "steps"] | None
    classifier: Literal["rate", "moving_window"] | None
    window_steps: int | None
    measure: str | None
    matched: TargetMatch | None
    errors: ValueErrors | None
    layers: list[LayerRate]
    warnings: list[str]
    neurobench: dict[str, Any] | None = None
    """Metrics of NeuroBench by its names, of a mean sample; None unless they were asked for."""

    def outline(self) -> Outline:
        facts: list[tuple[str, Cell]] = [("loss", self.loss)]
        if (score := self.score) is not None:
            facts += [("accuracy", f"{score.accuracy:.2%}"), ("undecided", score.undecided)]
        if (matched := self.matched) is not None:
            facts.append(("target spikes", f"{matched.met:,} of {matched.target_spikes:,} met"))
        if (errors := self.errors) is not None:
            facts.append(("root mean squared error", errors.root_mean_squared_error))
        rows = [(layer.layer, layer.neurons, layer.rate) for layer in self.layers]
        headings = ("layer", "neurons", "spikes per neuron and step")
        title = f"evaluation of {amount(self.samples, 'sample')} of {self.part}"
        return Outline(title, [*facts, *first_warnings(self.warnings)], [headings, *rows])


def evaluate(
    run: Source,
    part: Part | None = None,
    data: Mapping[str, Any] | None = None,
    predictions: str | Path | None = None,
    *,
    neurobench: bool = False,
) -> Evaluation:
    """Measures a network on the split ``part`` of its data: loss, spike rates and score.

    The accuracy of a network that classifies is ``.score.accuracy`` of the result.
    ``run`` is a run or its folder, or a document: its description, its file, or a dict. A run is
    measured with its best weights; on ``validation``, the results equal those that training
    measured with these weights. ``part`` is by default the first of ``PARTS`` that has samples.
    ``data`` replaces the data that the document names (see ``train``), whose files need not exist
    then; its training samples, too, are divided by ``training.validation_split``. With ``data``,
    ``run`` is anything that ``compile`` takes, or its result; random encodings of a network without
    a document have the seed 0. ``predictions`` is the name of an .npz or .csv file for the outputs
    and classes of all samples (see ``Predictions``). ``neurobench`` also counts operations, which
    takes longer.

    DataError if the split has no samples, the data does not fit or the network names none, or
    ``predictions`` has another suffix, OSError if it cannot be written, DescriptionError if the
    document is invalid or its data files or those of the run have changed, TypeError if ``part`` is
    no text.

    >>> evaluation = netdesc.evaluate("examples/oxford.json")
    >>> evaluation.part, evaluation.samples, evaluation.matched.target_spikes
    ('train', 1, 10458)
    """
    if not isinstance(part, str | None):
        raise TypeError(f"a part is one of {', '.join(PARTS)}; arrays are passed as data=…")
    opened = open_network(run, with_files=False)
    compiled, description, folder, *_ = opened
    if description is None and data is None:
        name = run if isinstance(run, str | Path) else "the network"
        raise DataError(
            f"{name} names no data; give a run, or a document with data, such as that which "
            'netdesc import writes; in Python: netdesc.evaluate(…, data={"test": (inputs, labels)})'
        )
    warnings = opened.warnings
    if opened.is_imported:
        kind = compiled.graph.loss.type
        warnings.append(f"a .net file holds no loss: {kind} is assumed, as imports write it")
    if description is not None and description.lock is not None and description.lock.loss:
        name = description.lock.loss
        warnings.append(f"the loss is that of the document; the run was trained with {name}")
    section, memory = sample_settings(opened), None
    if data is not None:
        reader = DatasetReader(machine.free_bytes, warnings.append)
        memory = MemoryData.of(data, reader).with_defaults(section)
    elif section is not None and description is not None and description.document.data is None:
        raise DataError(
            f"{folder}: this run trained on arrays of a Python program, which must pass them "
            "again: netdesc.evaluate(…, data=…)"
        )
    found = read_parts(description, SampleSpec.of(compiled.graph), warnings, memory)
    chosen: Part = part or next(iter(found))
    if chosen not in found:
        source = f"{description.path}: its data" if description and data is None else "data"
        raise DataError(f"{source} has no samples for {chosen}; there are: {', '.join(found)}")
    batch_size, seed = BATCH_SIZE, 0
    if description is not None:
        labels = getattr(found.get("train"), "labels", None)
        filled = fill_class_weights(description, lambda: labels, warnings.append)
        if filled is not description:
            compiled = replace(compiled, loss=build_loss(build_graph(filled.document)))
        training = description.document.training
        # As in training, because regularizers take their rates over a batch.
        batch_size = training.batch_size or len(found.get("train", ())) or None
        seed = training.seed
    device = next(compiled.model.parameters()).device
    batches = Batches(found[chosen], batch_size, device, seed)
    bench = NeuroBench(compiled.model) if neurobench else None
    if predictions is None:
        return _evaluate(compiled, chosen, batches, warnings, bench)
    with prediction_file(predictions, compiled.graph) as write:
        collector = PredictionCollector(compiled)
        evaluation = _evaluate(compiled, chosen, batches, warnings, bench, collector)
        write(collector.predictions(batches.samples.indices, warnings))
    return evaluation


def read_parts(
    description: Description | None,
    spec: SampleSpec,
    warnings: list[str],
    memory: MemoryData | None = None,
) -> dict[Part, Samples]:
    """Returns the samples of each part that has any, in the order of ``PARTS``."""
    parts: Mapping[str, Samples | None]
    if memory is not None and (description is None or "train" not in memory.parts):
        parts = memory.samples(spec, warnings.append)
    else:
        assert description is not None, "without a description, the data is in memory"
        parts = vars(read_splits(description, spec, warnings.append, memory, for_training=False))
    return {name: samples for name in PARTS if (samples := parts.get(name)) is not None}


def _evaluate(
    compiled: Compiled,
    part: Part,
    batches: Batches,
    warnings: list[str],
    bench: NeuroBench | None = None,
    collector: PredictionCollector | None = None,
) -> Evaluation:
    graph, samples = compiled.graph, batches.samples
    spikes: Counter[str] = Counter()
    matched_spikes = target_spikes = 0
    main, learns_spikes = compiled.loss.main, graph.loss.learns_from == "target spikes"
    errors = ValueErrorSums(main) if isinstance(main, MeanSquaredErrorLoss) else None

    def count(batch: Batch, signals: Mapping[Signal, torch.Tensor]) -> None:
        nonlocal matched_spikes, target_spikes
        if collector is not None:
            collector.add(signals, batch.target)
        output_TBN = signals[graph.output]
        spikes[INPUT] += int(batch.input_TBN.count_nonzero())
        spikes.update({layer.name: layer.spikes for layer in compiled.model.engine_report()})
        if errors is not None:
            errors.add(signals[graph.signal_of(graph.loss)], batch.target)
        elif learns_spikes:
            target_spikes += int(batch.target.count_nonzero())
            matched_spikes += int(((batch.target != 0) & (output_TBN != 0)).sum())
        if bench is not None:
            bench(batch.input_TBN)

    counter = build_counter(graph, compiled.loss, batches.device, with_top_k=True)
    loss, score = measure(compiled.model, compiled.loss, batches, counter, on_batch=count)
    window = graph.classifier and graph.classifier.window_steps
    judged = None
    if counter is not None:
        labels = samples.labels
        by_step = graph.loss.is_by_step if labels is None else labels.ndim == 2
        judged = "steps" if by_step else "samples"
    summed = graph.loss.reduction == "sum"
    shapes = {INPUT: graph.input_shape} | {layer.name: layer.output_shape for layer in graph.layers}
    neurons = {name: math.prod(shapes[name]) for name in shapes if name in spikes}
    values = {name: count * graph.lengths[name] for name, count in neurons.items()}
    found = None if errors is None else errors.errors()
    return Evaluation(
        part=part,
        samples=len(samples),
        loss=loss / len(samples) if summed else loss,
        summed=summed,
        score=score,
        judged=judged,
        classifier=None if graph.classifier is None else "moving_window" if window else "rate",
        window_steps=window,
        measure=graph.classifier and graph.classifier.measure,
        matched=TargetMatch(target_spikes, matched_spikes) if learns_spikes else None,
        errors=found,
        layers=[
            LayerRate(name, neurons[name], spikes[name] / (values[name] * len(samples)))
            for name in neurons
        ],
        warnings=warnings,
        neurobench=None if bench is None else bench.metrics() | _scores(score, found),
    )


def _scores(score: Score | None, errors: ValueErrors | None) -> dict[str, Any]:
    """Returns the scores of an evaluation by NeuroBench's names."""
    scores: dict[str, Any] = {} if score is None else {"ClassificationAccuracy": score.accuracy}
    if errors is not None:
        squared = errors.root_mean_squared_error**2
        scores |= {"MSE": squared, "SMAPE": 100 * errors.smape, "R2": errors.r2}
    return scores
