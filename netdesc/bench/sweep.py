"""Measures how time and memory of a layer grow with steps, batch, neurons and input rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from netdesc.bench.facts import machine
from netdesc.bench.layer import NEURON, LayerSize, Measurement
from netdesc.bench.programs import run_itself

BASE = LayerSize(inputs=512, neurons=512, steps=1000, batch=4, rate=0.02)
"""The base size of the sweep. Each axis of the sweep varies one number of this size."""

AXES: Mapping[str, Sequence[float]] = {
    "steps": (100, 300, 1000, 3000, 10_000),
    "batch": (1, 4, 16, 64, 128),
    "neurons": (64, 256, 512, 2048, 8192),
    "rate": (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5),
}
"""The values of each axis. All other numbers are taken from ``BASE``."""

REPEATS = 9


@dataclass(frozen=True)
class Point:
    """Time and memory of a forward and backward pass of a layer of one size.

    ``ns_per_value`` is nanoseconds per step, sample and neuron; ``ns_per_event`` is nanoseconds per
    synaptic event (one input spike that reaches one neuron), None without input spikes.
    """

    size: LayerSize
    figures: Measurement
    ns_per_value: float
    ns_per_event: float | None


@dataclass(frozen=True)
class Sweep:
    """The measured points of each axis in order, and the facts of the machine."""

    axes: dict[str, list[Point]]
    machine: dict[str, object]

    def record(self) -> dict[str, Any]:
        """Returns the object that ``--json`` prints."""
        return {"neuron": NEURON, **asdict(self)}


def sweep(
    device: str = "cpu",
    report: Callable[[str], None] = lambda text: None,
    on_axis: Callable[[str, Sequence[Point]], None] = lambda axis, points: None,
) -> Sweep:
    """Measures every size; all sizes of an axis are measured in one process.

    ``on_axis`` is called with each axis and its points as soon as the axis is measured, so that the
    points are not lost if a later measurement is interrupted. BenchError if a measurement fails.
    """
    axes: dict[str, list[Point]] = {}
    facts = machine()
    for axis, values in AXES.items():
        report(f"measuring {axis} from {values[0]:g} to {values[-1]:g}")
        axes[axis] = _measure([replace(BASE, **{axis: value}) for value in values], device)
        on_axis(axis, axes[axis])
    return Sweep(axes, facts)


def _measure(sizes: Sequence[LayerSize], device: str) -> list[Point]:
    works = [size.work(device, REPEATS) for size in sizes]
    points: list[Point] = []
    for size, work, answer in zip(sizes, works, run_itself(*works), strict=True):
        figures = Measurement.from_answer(answer, size)
        assert figures.median_ms is not None
        ns, events = figures.median_ms * 1e6, int(work.spikes["input"].sum()) * size.neurons
        points.append(Point(size, figures, ns / size.values, ns / events if events else None))
    return points
