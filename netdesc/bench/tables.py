"""Formats measurements as tables and lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netdesc.bench.layer import LayerComparison, LayerSize, Measurement
from netdesc.bench.neurons import NeuronComparison
from netdesc.bench.sweep import Point, Sweep

Rows = list[tuple[object, ...]]

LAYER = (
    "program", "median ms", "10% to 90%", "times netdesc", "spikes a step", "peak MB", "units"
)  # fmt: skip
NEURONS = ("neuron", "forward ms", "backward ms", "learnt ms", "layer ms", "path", "spikes a step")
SWEEP = (
    "median ms", "10% to 90%", "ns a value", "ns an event", "path", "spikes a step", "memory"
)  # fmt: skip


def layer_rows(programs: Sequence[Measurement]) -> Rows:
    """Formats a row with the columns ``LAYER`` for each program that was measured."""
    return [
        (
            f"{each.name} {(each.versions or {}).get(each.name, '')}".rstrip(),
            f"{each.median_ms:.2f}",
            f"{each.low_ms:.2f} to {each.high_ms:.2f}",
            f"{each.ratio:.1f}",
            f"{each.spike_rate:.2%}",
            "" if each.peak_bytes is None else f"{each.peak_bytes / 1e6:.0f}",
            _format_known(each.peak_units, ".2f"),
        )
        for each in programs
        if each.status == "done"
    ]


def layer_lines(comparison: LayerComparison) -> Iterator[str]:
    """Yields the lines below the table: sizes, timed work, versions, missing programs, machine."""
    yield _size_line(comparison.size)
    yield f"timed: {comparison.timed}"
    yield "units: 4 bytes per step, sample and neuron; memory beyond what was allocated before"
    for each in comparison.programs:
        if each.status == "done":
            path = f", path {each.path}" if each.path else ""
            under = conditions(each.versions, each.device, each.threads)
            yield f"{each.name}: {each.what}{path}; {under}"
    for each in comparison.programs:
        if each.status != "done":
            yield f"{each.name}: {each.status}: {each.reason}"
    yield machine_line(comparison.machine)


def _size_line(size: LayerSize) -> str:
    return (
        f"{size.text}, {size.steps} steps, batch {size.batch}, "
        f"{size.rate:.3g} spikes a step of each input, seed {size.seed}"
    )


def neuron_rows(comparison: NeuronComparison) -> Rows:
    """Formats a row with the columns ``NEURONS`` for each neuron, and for each program's layer."""

    def with_ratio(each: Measurement | None) -> str:
        return "" if each is None else f"{each.median_ms:.2f} ({each.ratio:.2f})"

    def rate(each: Measurement) -> str:
        return _format_known(each.spike_rate, ".2%")

    rows: Rows = []
    for neuron in comparison.neurons:
        layer = neuron.passes["layer"]
        times = map(with_ratio, map(neuron.passes.get, ("forward", "backward", "learnt", "layer")))
        rows.append((neuron.neuron, *times, layer.path, rate(layer)))
        rows += [
            (f"  {each.name}", "", "", "", with_ratio(each), "", rate(each))
            for each in neuron.peers
            if each.status == "done"
        ]
    return rows


def neuron_lines(comparison: NeuronComparison) -> Iterator[str]:
    """Yields the lines below the table: columns, sizes, programs, versions, machine."""
    yield _size_line(comparison.size)
    yield "forward, backward: neurons without synapses; learnt: with gradients of all parameters"
    yield "layer: forward and backward pass with synapses; no loss, no optimizer"
    yield "in brackets: times CUBA; of other programs: times netdesc"
    layer = comparison.neurons[0].passes["layer"]
    yield f"netdesc: {conditions(layer.versions, layer.device, layer.threads)}"
    for neuron in comparison.neurons:
        for each in neuron.peers:
            reason = f"{each.status}: {each.reason}"
            yield f"{each.name}, {neuron.neuron}: {each.what or reason}"
    yield machine_line(comparison.machine)


def conditions(versions: Mapping[str, str] | None, device: str | None, threads: int | None) -> str:
    packages = ", ".join(f"{name} {each}" for name, each in (versions or {}).items())
    return f"{packages}; {device}" + ("" if threads is None else f", {threads} threads")


def machine_line(machine: Mapping[str, object]) -> str:
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"


def sweep_rows(axis: str, points: Sequence[Point]) -> Rows:
    """Formats a row for each point: the axis's value, then the columns ``SWEEP``."""
    return [
        (
            f"{point.size.rate:.1%}" if axis == "rate" else f"{getattr(point.size, axis):,}",
            f"{point.figures.median_ms:.2f}",
            f"{point.figures.low_ms:.2f} to {point.figures.high_ms:.2f}",
            f"{point.ns_per_value:.2f}",
            _format_known(point.ns_per_event, ".3f"),
            point.figures.path,
            f"{point.figures.spike_rate:.2%}",
            _format_known(point.figures.peak_units, ".1f"),
        )
        for point in points
    ]


def _format_known(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def sweep_lines(sweep: Sweep) -> Iterator[str]:
    """Yields the lines below the tables: units, versions, machine."""
    yield "value: a step of a neuron for a sample; event: an input spike that reaches a neuron"
    yield "memory: roughly, of the pass at its peak, in 4 bytes for each step, sample and neuron"
    figures = sweep.axes["steps"][0].figures
    yield f"netdesc: {conditions(figures.versions, figures.device, figures.threads)}"
    yield machine_line(sweep.machine)
