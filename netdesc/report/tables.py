"""Tables as headings and cells, each cell a text that is ready to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netdesc.graph import Dense, Layer, decay_range, summary
from netdesc.report.matching import Match
from netdesc.report.rates import SATURATED, LayerRates
from netdesc.report.run import Run
from netdesc.report.words import (
    NOTHING,
    counted,
    duration,
    listed,
    number,
    percent,
    shape,
    time_constant,
    time_range,
)


@dataclass(frozen=True)
class Table:
    """``texts`` are the columns of words, set to the left; numbers are set to the right."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = (0,)
    total: Sequence[str] = field(default=())


def network_table(run: Run) -> Table:
    """The layers with all that makes them."""
    graph = run.graph
    layers: list[Layer | None] = [None, *graph.layers]
    rows = [
        [
            row.name,
            row.type,
            ", ".join(row.inputs) or NOTHING,
            shape(row.input_shape),
            shape(row.output_shape),
            *_neuron(layer, graph.step_ms),
            f"{row.parameters:,}",
            f"{row.synapses:,}",
        ]
        for row, layer in zip(summary(graph), layers, strict=True)
    ]
    return Table(
        caption=f"{counted(graph.steps, 'step')} of {number(graph.step_ms)} ms. A decay is the "
        f"share lost in each step; in brackets, the time after which 1/e is left.",
        headings=[
            "Layer", "Type", "From", "Input", "Output", "Neuron", "Threshold", "Current decay",
            "Voltage decay", "Weights", "Parameters", "Synapses",
        ],
        rows=rows,
        texts=(0, 1, 2, 5, 9),
        total=["Together", *[""] * 9, f"{graph.parameters:,}", f"{graph.synapses:,}"],
    )  # fmt: skip


def _neuron(layer: Layer | None, step_ms: float) -> list[str]:
    if not isinstance(layer, Dense):
        return [NOTHING] * 5
    neuron = layer.neuron
    return [
        layer.neuron_name,
        number(neuron.threshold),
        _decay(decay_range(neuron.current_decay), step_ms),
        _decay(decay_range(neuron.voltage_decay), step_ms),
        "real numbers" if layer.bits is None else f"{layer.bits} bits",
    ]


def _decay(ends: tuple[float, float], step_ms: float) -> str:
    low, high = ends
    if low == high:
        return f"{number(low)}\n({time_constant(low, step_ms)})"
    return f"{number(low)} to {number(high)}\n({time_range(low, high, step_ms)})"


def match_table(matches: Sequence[Match]) -> Table:
    return Table(
        caption="How many spikes meet: a target spike is met by an output spike of the same neuron "
        "that is near enough in time, and the other way round.",
        headings=["At most apart", "Target spikes met", "", "Output spikes that belong", ""],
        rows=[
            [
                "same step" if not each.tolerance else counted(each.tolerance, "step"),
                f"{each.met:,} of {each.targets:,}",
                percent(each.met_share),
                f"{each.wanted:,} of {each.outputs:,}",
                percent(each.wanted_share),
            ]
            for each in matches
        ],
    )


def rates_table(rates: Sequence[LayerRates]) -> Table:
    return Table(
        caption="Spikes a neuron a step. A neuron is silent if it never spikes, and saturated if "
        f"it spikes in at least {SATURATED:.0%} of all steps.",
        headings=["Layer", "Neurons", "Mean", "Median", "Highest", "Silent", "Saturated"],
        rows=[
            [
                layer.name,
                f"{layer.neurons:,}",
                number(layer.mean),
                number(layer.median),
                number(layer.highest),
                _count(layer.silent, layer.neurons),
                _count(layer.saturated, layer.neurons),
            ]
            for layer in rates
        ],
    )


def _count(count: int, of: int) -> str:
    return f"{count:,} ({percent(count / of)})" if count else "none"


def layers_table(run: Run) -> Table:
    """How the run computed each layer."""
    return Table(
        caption="How each layer was computed. Peaks are the largest sizes of its states in units "
        "of the device (1/4096); the device holds 24 bits, up to 8,388,607.",
        headings=["Layer", "Engine", "Path", "Peak current", "Peak voltage"],
        rows=[
            [
                layer.layer,
                layer.engine or NOTHING,
                layer.path or NOTHING,
                number(layer.peak_current),
                number(layer.peak_voltage),
            ]
            for layer in run.record.layers
        ],
        texts=(0, 1, 2),
    )


def environment_table(run: Run) -> Table:
    record = run.record
    device = record.device
    threads = [] if device.threads is None else [counted(device.threads, "thread")]
    pairs = [
        ("Started", record.started),
        ("Ended", record.ended),
        ("Taken up again", listed([each.at for each in record.resumed]) if record.resumed else ""),
        ("Device", ", ".join(filter(None, [device.type, device.name, device.instructions])
                             ) + "".join(f", {each}" for each in threads)),
        ("Engine asked for", record.engine),
        ("Platform", record.platform),
        *((name, version) for name, version in record.versions.items()),
        ("Seed", str(run.document.training.seed)),
    ]  # fmt: skip
    return Table(
        caption="Where and with what the run was made.",
        headings=["What", "Value"],
        rows=[[name, value] for name, value in pairs if value],
        texts=(0, 1),
    )


def timing_table(run: Run) -> Table:
    """Seconds an epoch and in all."""
    seconds = run.metrics.figures["seconds"]
    seconds = seconds[np.isfinite(seconds)]
    if not len(seconds):
        return Table("No epoch was timed.", ["What", "Time"], [])
    low, middle, high = np.quantile(seconds, [0.1, 0.5, 0.9])
    pairs = [
        (f"{counted(len(seconds), 'epoch')} together", float(seconds.sum())),
        ("An epoch, median", float(middle)),
        ("An epoch, fastest tenth up to", float(low)),
        ("An epoch, slowest tenth from", float(high)),
        ("The first epoch, which may load kernels", float(seconds[0])),
    ]
    return Table(
        "Time spent in epochs, without loading data and writing files.",
        ["What", "Time"],
        [[what, duration(time)] for what, time in pairs],
    )
