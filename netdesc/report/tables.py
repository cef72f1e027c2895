"""Tables as headings and cells, each cell a text that is ready to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netdesc.graph import Dense, Layer, decay_range, summary
from netdesc.report.coincidence import Coincidence
from netdesc.report.format import (
    NOTHING,
    duration,
    join_words,
    number,
    percent,
    plural,
    shape,
    time_constant,
)
from netdesc.report.rates import SATURATED, LayerRates
from netdesc.report.run import Run


@dataclass(frozen=True)
class Table:
    """``texts`` are the columns of words, set to the left; numbers are set to the right."""

    caption: str
    headings: Sequence[str]
    rows: list[list[str]] = field(default_factory=list[list[str]])
    texts: Sequence[int] = (0,)
    total: Sequence[str] = ()


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
        caption=f"{plural(graph.steps, 'step')} of {number(graph.step_ms)} ms. A decay is the "
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
    different = sorted(set(ends))
    shares = " to ".join(number(each) for each in different)
    times = " to ".join(time_constant(each, step_ms) for each in different)
    return f"{shares}\n({times})"


def coincidence_table(found: Sequence[Coincidence]) -> Table:
    return Table(
        caption="How many spikes meet: a target spike is met by an output spike of the same neuron "
        "that is near enough in time, and the other way round.",
        headings=["At most apart", "Target spikes met", "", "Output spikes that belong", ""],
        rows=[
            [
                plural(each.tolerance, "step") if each.tolerance else "same step",
                f"{each.met:,} of {each.targets:,}",
                percent(each.recall),
                f"{each.right:,} of {each.outputs:,}",
                percent(each.precision),
            ]
            for each in found
        ],
    )


def rates_table(rates: Sequence[LayerRates]) -> Table:
    def count(part: int, whole: int) -> str:
        return f"{part:,} ({percent(part / whole)})" if part else "none"

    return Table(
        caption="Spikes a neuron a step. A neuron is silent if it never spikes, and saturated if "
        f"it spikes in at least {SATURATED:.0%} of all steps.",
        headings=["Layer", "Neurons", "Mean", "Median", "Highest", "Silent", "Saturated"],
        rows=[
            [
                layer.name,
                f"{layer.neurons:,}",
                *(number(float(of(layer.rates))) for of in (np.mean, np.median, np.max)),
                count(layer.silent, layer.neurons),
                count(layer.saturated, layer.neurons),
            ]
            for layer in rates
        ],
    )


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
    record, device = run.record, run.record.device
    threads = "" if device.threads is None else plural(device.threads, "thread")
    pairs = {
        "Started": record.started,
        "Ended": record.ended,
        "Taken up again": join_words([again.at for again in record.resumed] or [""]),
        "Device": ", ".join(filter(None, [device.type, device.name, device.instructions, threads])),
        "Engine asked for": record.engine,
        "Platform": record.platform,
        **record.versions,
        "Seed": str(run.document.training.seed),
    }
    return Table(
        caption="Where and with what the run was made.",
        headings=["What", "Value"],
        rows=[[name, value] for name, value in pairs.items() if value],
        texts=(0, 1),
    )


def timing_table(run: Run) -> Table:
    """Seconds an epoch and in all."""
    seconds = run.metrics.figures["seconds"]
    seconds = seconds[np.isfinite(seconds)]
    if not len(seconds):
        return Table("No epoch was timed.", ["What", "Time"])
    fast, median, slow = np.quantile(seconds, [0.1, 0.5, 0.9])
    times = {
        f"{plural(len(seconds), 'epoch')} together": seconds.sum(),
        "An epoch, median": median,
        "An epoch, fastest tenth up to": fast,
        "An epoch, slowest tenth from": slow,
        "The first epoch, which may load kernels": seconds[0],
    }
    return Table(
        "Time spent in epochs, without loading data and writing files.",
        ["What", "Time"],
        [[what, duration(float(time))] for what, time in times.items()],
    )
