"""The tables of the report, as headings and formatted cells."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import SynapticNode, summary
from netdesc.report.coincidence import Coincidence
from netdesc.report.format import NOTHING, join_words, number, percent, shape, time_constant
from netdesc.report.run import RunData
from netdesc.runs.activity_file import MIN_SATURATED_RATE
from netdesc.runs.run_record import VerificationRecord
from netdesc.sections import both

MAX_FILES = 6
"""Largest number of data files that are listed."""


class Link(str):
    """A cell of a table that leads to ``address``, relative to the page."""

    __slots__ = ("address",)
    address: str

    @classmethod
    def to(cls, text: str, target: Path, page: Path) -> str:
        """Returns a link from the file ``page`` to a file or folder, a plain text if it is gone."""
        if not target.exists():
            return text
        path = Path(os.path.relpath(target.absolute(), page.absolute().parent)).as_posix()
        link = cls(text)
        link.address = "./" + quote(path.encode(errors="surrogateescape"))
        return link


@dataclass(frozen=True)
class Table:
    """A table of formatted cells; ``total`` is an additional last row.

    ``texts`` are the indices of left-aligned columns; all other columns are right-aligned.
    """

    caption: str
    headings: Sequence[str]
    rows: list[list[str]] = field(default_factory=list[list[str]])
    texts: Sequence[int] = (0,)
    total: Sequence[str] = ()


def network_table(run: RunData) -> Table:
    """Lists the layers with their shapes, neurons and parameters."""
    graph = run.graph
    layers = {layer.name: layer for layer in graph.neuron_layers}
    values = list(dict.fromkeys(name for each in layers.values() for name in each.neuron_values))
    own = {
        name
        for each in layers.values()
        if each.neuron.type_name() == "equations"
        for name in each.neuron_values
    }
    rows = [
        [
            row.name,
            row.type,
            ", ".join(row.inputs) or NOTHING,
            shape(row.input_shape),
            shape(row.output_shape),
            *_neuron_cells(layers.get(row.name), values),
            f"{row.parameters:,}",
            f"{row.synapses:,}",
        ]
        for row in summary(graph)
    ]
    return Table(
        caption=f"{amount(graph.steps, 'step')} of {number(graph.step_ms)} ms. A decay is the "
        f"share lost per step; the time in brackets is the time constant, after which 1/e is left.",
        headings=[
            "Layer", "Type", "From", "Input", "Output", "Neuron",
            *(each if each in own else each.replace("_", " ").capitalize() for each in values),
            "Weights", "Parameters", "Synapses",
        ],
        rows=rows,
        texts=(0, 1, 2, 5, 6 + len(values)),
        total=["Total", *[""] * (6 + len(values)), f"{graph.parameters:,}", f"{graph.synapses:,}"],
    )  # fmt: skip


def _neuron_cells(layer: SynapticNode | None, values: Sequence[str]) -> list[str]:
    if layer is None:
        return [NOTHING] * (2 + len(values))
    own, kinds, cells = layer.neuron_values, layer.neuron.value_kinds(), list[str]()
    for name in values:
        limits = sorted(set(both(own[name]))) if name in own else []
        cells.append(" to ".join(map(number, limits)) or NOTHING)
        if limits and kinds[name] == "decay":
            times = (time_constant(limit, layer.step_ms) for limit in limits)
            cells[-1] += f"\n({' to '.join(times)})"
    return [
        layer.neuron_name,
        *cells,
        ("real numbers" if layer.bits is None else f"{layer.bits} bits")
        + ("" if layer.section.trainable else ", not trained"),
    ]


def verification_table(found: VerificationRecord) -> Table:
    """Lists how many outputs of each layer are not 0, in floats, in integers and after export."""
    columns = {"Neurons": "neurons", "Floats": "float", "Integers": "integer"}
    if all(each.exported is not None for each in found.layers):
        columns["network.net"] = "exported"
    result = "Identical" if found.identical else "Different"
    missing = f" There is no network.net: {found.export_problem}." if found.export_problem else ""
    return Table(
        caption=f"Outputs that are not 0. {result}: {found.summary}.{missing}",
        headings=["Layer", *columns],
        rows=[
            [each.layer, *(f"{getattr(each, field):,}" for field in columns.values())]
            for each in found.layers
        ],
    )


def neurobench_table(metrics: Mapping[str, Any]) -> Table:
    """Lists metrics of NeuroBench; those of a group have the group's name in front."""
    rows: list[list[str]] = []
    for name, value in metrics.items():
        group = value.items() if isinstance(value, dict) else [("", value)]
        rows += [[f"{name} {key}".rstrip(), number(float(each))] for key, each in group]
    return Table(
        caption="Metrics by the definitions of NeuroBench 2.3, of a mean sample. An operation is a "
        "weight other than 0 that meets an event: an AC adds it, a MAC multiplies first.",
        headings=["Metric", "Value"],
        rows=rows,
    )


def coincidence_table(coincidences: Sequence[Coincidence]) -> Table:
    """Lists recall and precision of the output spikes for each tolerance."""
    return Table(
        caption="A target spike is matched if the same neuron of the output spikes within the "
        "tolerance. An output spike is matched if the same neuron of the target does.",
        headings=["Tolerance", "Target spikes matched", "", "Output spikes matched", ""],
        rows=[
            [
                amount(each.tolerance, "step") if each.tolerance else "same step",
                f"{each.matched_targets:,} of {each.targets:,}",
                percent(each.recall if each.targets else None),
                f"{each.matched_outputs:,} of {each.outputs:,}",
                percent(each.precision if each.outputs else None),
            ]
            for each in coincidences
        ],
    )


def rates_table(run: RunData) -> Table:
    """Lists statistics of the spike rates of each layer. NaN, from a damaged file, counts as no
    rate: as neither silent nor saturated."""

    def count(is_counted: NDArray[np.bool_]) -> str:
        part = int(np.count_nonzero(is_counted))
        return f"{part:,} ({percent(part / is_counted.size)})" if part else "none"

    statistics = (np.mean, np.median, np.max)
    return Table(
        caption="Spikes, or outputs other than 0, per neuron and step. A neuron is silent if it "
        "has none, and saturated if it spikes in at least "
        f"{MIN_SATURATED_RATE:.0%} of all steps.",
        headings=["Layer", "Neurons", "Mean", "Median", "Highest", "Silent", "Saturated"],
        rows=[
            [
                layer,
                f"{len(rates):,}",
                *(number(float(statistic(rates))) for statistic in statistics),
                count(rates == 0),
                count(rates >= MIN_SATURATED_RATE) if layer in run.spiking_layers else NOTHING,
            ]
            for layer, rates in run.rates.items()
        ],
    )


def layers_table(run: RunData) -> Table:
    """Lists how each layer was computed, and its largest states (see ``LayerExecution``)."""
    return Table(
        caption="How each layer was computed. Peaks are the largest magnitudes of its states in "
        "units of the device (1/4096). The device has 24 bits, up to 8,388,607.",
        headings=["Layer", "Engine", "Path", "Peaks"],
        rows=[
            [
                layer.layer,
                layer.engine or NOTHING,
                layer.path or NOTHING,
                ", ".join(f"{name} {number(peak)}" for name, peak in layer.peaks.items())
                or NOTHING,
            ]
            for layer in run.record.layers
        ],
        texts=(0, 1, 2, 3),
    )


def environment_table(run: RunData) -> Table:
    """Lists dates, device, platform and versions of the training."""
    record, device = run.record, run.record.device
    threads = "" if device.threads is None else amount(device.threads, "thread")
    pairs = {
        "Started": record.started,
        "Ended": record.ended,
        "Resumed": join_words([each.at for each in record.resumed] or [""]),
        "Device": ", ".join(filter(None, [device.type, device.name, device.instructions, threads])),
        "Requested engine": record.engine,
        "Platform": record.platform,
        **record.versions,
    }
    return Table(
        caption="When, where and with which versions the run was trained.",
        headings=["Property", "Value"],
        rows=[[name, value] for name, value in pairs.items() if value],
        texts=(0, 1),
    )


def experiment_table(run: RunData) -> Table:
    """Lists data, loss and training, in the words of the document but without most defaults."""
    document = run.document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    settings = run.document.training
    optimizer = settings.optimizer.model_dump(mode="json", exclude_defaults=True)
    training = {
        **document["training"],
        "batch_size": settings.batch_size or "all training samples",
        "seed": settings.seed,
        "optimizer": {**optimizer, "learning_rate": settings.optimizer.learning_rate},
    }
    samples = [f"{part} {count:,}" for part, count in run.record.samples.items() if count]
    files = [*run.files]
    if len(files) > MAX_FILES:
        files[MAX_FILES:] = ["…"]
    pairs = {
        "Data": "\n".join(files),
        "Samples": ", ".join(samples),
        "Loss": document["loss"],
        "Loss in Python": run.record.loss and f"{run.record.loss}, in the place of the main loss",
        "Regularizers": document.get("regularizers"),
        "Initial weights": {
            layer.name: layer.section.model_dump(include={"weight_scale", "recurrent_weight_scale"})
            for layer in run.graph.neuron_layers
            if layer.section.draws_weights and run.document.weights is None
        },
        "Surrogate gradient": {
            layer.neuron_name: layer.neuron.model_dump(
                mode="json",
                exclude_none=True,
                include={"surrogate"} if layer.neuron.surrogate else {"tau_grad", "scale_grad"},
            )
            for layer in run.graph.neuron_layers
            if layer.name in run.spiking_layers
        },
        **{name.replace("_", " ").capitalize(): value for name, value in training.items()},
    }
    return Table(
        caption="What was trained, on what and how, as in the document.",
        headings=["Property", "Value"],
        rows=[
            [name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
            for name, value in pairs.items()
            if value not in (None, "", {})
        ],
        texts=(0, 1),
    )
