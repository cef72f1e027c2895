"""The tables of the report, as headings and formatted cells."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import SynapticNode, summary
from netdesc.report.coincidence import Coincidence
from netdesc.report.format import NOTHING, TEXTS, join_words, number, percent, shape, time_constant
from netdesc.report.run import RunData
from netdesc.runs.activity_file import MIN_SATURATED_RATE
from netdesc.runs.metrics_file import ConfusionCounts
from netdesc.runs.run_record import VerificationRecord
from netdesc.sections import both

MAX_FILES = 6
"""Largest number of data files that are listed."""

Rows = list[list[str]]


def link(text: str, target: Path, page: Path) -> str:
    """Returns a link from the file ``page`` to a file or folder, a plain text if it is gone."""
    if not target.exists():
        return text
    path = Path(os.path.relpath(target.absolute(), page.absolute().parent)).as_posix()
    address = quote(path.encode(errors="surrogateescape"))
    return Markup('<a href="./{}">{}</a>').format(address, text)


@dataclass(frozen=True)
class Table:
    """A table of formatted cells; ``total`` is an additional last row.

    ``texts`` are the indices of left-aligned columns; all other columns are right-aligned.
    """

    caption: str
    headings: Sequence[str]
    rows: Rows = field(default_factory=Rows)
    texts: Sequence[int] = (0,)
    total: Sequence[str] = ()

    @classmethod
    def named(cls, name: str, rows: Rows, **words: Any) -> "Table":
        """Returns a table with its caption and headings of ``texts.toml``."""
        texts = TEXTS["tables"][name]
        return cls(**{**texts, "caption": texts["caption"].format(**words)}, rows=rows)


def network_table(run: RunData) -> Table:
    """Lists the layers with their shapes, neurons and parameters."""
    graph = run.graph
    layers = {layer.name: layer for layer in graph.neuron_layers}
    headings = dict[str, str]()
    for layer in layers.values():
        is_own = layer.neuron.type_name() == "equations"
        for name in layer.neuron_values:
            title = name.replace("_", " ").capitalize()
            headings[name] = name if is_own else headings.get(name, title)
    rows = [
        [
            row.name,
            row.type,
            ", ".join(row.inputs) or NOTHING,
            shape(row.input_shape),
            shape(row.output_shape),
            *_neuron_cells(layers.get(row.name), list(headings)),
            f"{row.parameters:,}",
            f"{row.synapses:,}",
        ]
        for row in summary(graph)
    ]
    caption = (
        f"{amount(graph.steps, 'step')} of {number(graph.step_ms)} ms. A decay is the share lost "
        f"per step; the time in brackets is the time constant, after which 1/e is left."
    )
    names = ["Layer", "Type", "From", "Input", "Output", "Neuron", *headings.values()]
    total = ["Total", *[""] * len(names), f"{graph.parameters:,}", f"{graph.synapses:,}"]
    titles = [*names, "Weights", "Parameters", "Synapses"]
    return Table(caption, titles, rows, (0, 1, 2, 5, len(names)), total)


def _neuron_cells(layer: SynapticNode | None, values: Sequence[str]) -> list[str]:
    if layer is None:
        return [NOTHING] * (2 + len(values))
    own, kinds, cells = layer.neuron_values, layer.neuron.value_kinds(), [layer.neuron_name]
    for name in values:
        limits = sorted(set(both(own[name]))) if name in own else []
        cells.append(" to ".join(map(number, limits)) or NOTHING)
        if limits and kinds[name] == "decay":
            times = (time_constant(limit, layer.step_ms) for limit in limits)
            cells[-1] += f"\n({' to '.join(times)})"
    weights = "real numbers" if layer.bits is None else f"{layer.bits} bits"
    return [*cells, weights + ("" if layer.section.trainable else ", not trained")]


def verification_table(record: VerificationRecord) -> Table:
    """Lists how many outputs of each layer are not 0, in floats, in integers and after export."""
    columns = {"Neurons": "neurons", "Floats": "float", "Integers": "integer"}
    if all(layer.exported is not None for layer in record.layers):
        columns["network.net"] = "exported"
    caption = f"{'Identical' if record.identical else 'Different'}: {record.summary}."
    if record.export_problem:
        caption += f" There is no network.net: {record.export_problem}."
    rows = [
        [layer.layer, *(f"{getattr(layer, field):,}" for field in columns.values())]
        for layer in record.layers
    ]
    return Table(f"Outputs that are not 0. {caption}", ["Layer", *columns], rows)


def neurobench_table(metrics: Mapping[str, Any]) -> Table:
    """Lists metrics of NeuroBench; those of a group have the group's name in front."""
    rows = Rows()
    for name, value in metrics.items():
        group = value.items() if isinstance(value, dict) else [("", value)]
        rows += [[f"{name} {key}".rstrip(), number(float(part))] for key, part in group]
    return Table.named("neurobench", rows)


def coincidence_table(coincidences: Sequence[Coincidence]) -> Table:
    """Lists recall and precision of the output spikes for each tolerance."""
    rows = [
        [
            amount(each.tolerance, "step") if each.tolerance else "same step",
            f"{each.matched_targets:,} of {each.targets:,}",
            percent(each.recall if each.targets else None),
            f"{each.matched_outputs:,} of {each.outputs:,}",
            percent(each.precision if each.outputs else None),
        ]
        for each in coincidences
    ]
    return Table.named("coincidence", rows)


def rates_table(run: RunData) -> Table:
    """Lists statistics of the spike rates of each layer. NaN, from a damaged file, counts as no
    rate: as neither silent nor saturated."""

    def count(is_counted: NDArray[np.bool_]) -> str:
        part = int(np.count_nonzero(is_counted))
        return f"{part:,} ({percent(part / is_counted.size)})" if part else "none"

    rows = [
        [
            layer,
            f"{len(rates):,}",
            *(number(float(statistic(rates))) for statistic in (np.mean, np.median, np.max)),
            count(rates == 0),
            count(rates >= MIN_SATURATED_RATE) if layer in run.spiking_layers else NOTHING,
        ]
        for layer, rates in run.rates.items()
    ]
    return Table.named("rates", rows, saturated=MIN_SATURATED_RATE)


def layers_table(run: RunData) -> Table:
    """Lists how each layer was computed, and its largest states (see ``LayerExecution``)."""
    rows = Rows()
    for layer in run.record.layers:
        peaks = ", ".join(f"{name} {number(peak)}" for name, peak in layer.peaks.items())
        rows.append([cell or NOTHING for cell in (layer.layer, layer.engine, layer.path, peaks)])
    return Table.named("layers", rows)


def environment_table(run: RunData) -> Table:
    """Lists dates, device, platform and versions of the training."""
    record, device = run.record, run.record.device
    threads = "" if device.threads is None else amount(device.threads, "thread")
    pairs = {
        "Started": record.started,
        "Ended": record.ended,
        "Resumed": join_words([resumption.at for resumption in record.resumed] or [""]),
        "Device": ", ".join(filter(None, [device.type, device.name, device.instructions, threads])),
        "Requested engine": record.engine,
        "Platform": record.platform,
        **record.versions,
    }
    return Table.named("environment", [[name, value] for name, value in pairs.items() if value])


def experiment_table(run: RunData) -> Table:
    """Lists data, loss and training, in the words of the document but without most defaults."""
    document = run.document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    settings, layers = run.document.training, run.graph.neuron_layers
    optimizer = settings.optimizer.model_dump(mode="json", exclude_defaults=True)
    training = {
        **document["training"],
        "batch_size": settings.batch_size or "all training samples",
        "seed": settings.seed,
        "optimizer": {**optimizer, "learning_rate": settings.optimizer.learning_rate},
    }
    samples = [f"{part} {count:,}" for part, count in run.record.samples.items() if count]
    files = [*[*run.files][:MAX_FILES], *["…"] * (len(run.files) > MAX_FILES)]
    pairs = {
        "Data": "\n".join(files),
        "Samples": ", ".join(samples),
        "Loss": document["loss"],
        "Loss in Python": run.record.loss and f"{run.record.loss}, in the place of the main loss",
        "Regularizers": document.get("regularizers"),
        "Initial weights": {
            layer.name: layer.section.model_dump(include={"weight_scale", "recurrent_weight_scale"})
            for layer in layers
            if layer.section.draws_weights and run.document.weights is None
        },
        "Surrogate gradient": {
            layer.neuron_name: layer.neuron.model_dump(
                mode="json",
                exclude_none=True,
                include={"surrogate"} if layer.neuron.surrogate else {"tau_grad", "scale_grad"},
            )
            for layer in layers
            if layer.name in run.spiking_layers
        },
        **{name.replace("_", " ").capitalize(): value for name, value in training.items()},
    }
    rows = [
        [name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        for name, value in pairs.items()
        if value not in (None, "", {})
    ]
    return Table.named("experiment", rows)


class ClassRow(NamedTuple):
    """The samples of one class, and ``counts`` of them by prediction; ``accuracy`` is the correct
    share of these samples, ``precision`` that of the predictions of this class."""

    label: int
    counts: Sequence[int]
    samples: int
    accuracy: str
    precision: str


class ConfusionMatrix:
    """The confusion matrix of ``items``, such as "validation samples", in "samples" or "steps".

    If samples without a prediction exist (``undecided``), each row has a last count of them.
    """

    def __init__(self, confusion: ConfusionCounts, items: str, unit: str) -> None:
        self.items, self.unit, self.epoch = items, unit, confusion.epoch
        self.undecided = int(confusion.undecided.sum())
        correct, counts = np.diag(confusion.counts), confusion.counts
        if self.undecided:
            counts = np.column_stack([counts, confusion.undecided])
        columns = counts.tolist(), confusion.samples.tolist(), correct, confusion.counts.sum(axis=0)
        self.rows = [
            ClassRow(label, row, samples, _share(right, samples), _share(right, predicted))
            for label, (row, samples, right, predicted) in enumerate(zip(*columns, strict=True))
        ]
        self.accuracy = _share(correct.sum(), confusion.total)


def _share(part: float, whole: float) -> str:
    return percent(float(part / whole) if whole else None)
