"""How a layer's time and memory grow with steps, batch, neurons and rate, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from netdesc.bench.facts import machine
from netdesc.bench.layer import NEURON, Figures, Size
from netdesc.bench.programs import run_itself

BASE = Size(inputs=512, neurons=512, steps=1000, batch=4, rate=0.02)
"""The point that every axis goes through."""

AXES: Mapping[str, Sequence[float]] = {
    "steps": (100, 300, 1000, 3000, 10_000),
    "batch": (1, 4, 16, 64, 128),
    "neurons": (64, 256, 512, 2048, 8192),
    "rate": (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5),
}
"""Values of each axis; all else is as in the base point, the number of inputs everywhere."""

REPEATS = 9


@dataclass(frozen=True)
class Point:
    """What one size takes: time and memory of a pass forward and backward, as ``layer`` has it.

    ``ns_per_value`` is nanoseconds by step, sample and neuron; ``ns_per_event`` nanoseconds by
    synaptic event, which is one input spike arriving at one neuron.
    """

    size: Size
    figures: Figures
    ns_per_value: float
    ns_per_event: float | None


@dataclass(frozen=True)
class Sweep:
    """Points by axis, in the axis's order, and the machine that they depend on."""

    axes: dict[str, list[Point]]
    machine: dict[str, object]

    def record(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {"neuron": NEURON, **asdict(self)}


def sizes() -> Iterator[tuple[str, list[Size]]]:
    """Each axis with its sizes."""
    for axis, values in AXES.items():
        yield axis, [replace(BASE, **{axis: value}) for value in values]


def sweep(
    device: str = "cpu",
    note: Callable[[str], None] = lambda text: None,
    show: Callable[[str, Sequence[Point]], None] = lambda axis, points: None,
) -> Sweep:
    """Measures every size, those of an axis in a process of its own.

    ``show`` is called with each axis and its points once they are measured: what was shown is not
    lost where the rest is interrupted. BenchError where a measurement fails.
    """
    axes: dict[str, list[Point]] = {}
    on = machine()
    for axis, wanted in sizes():
        note(f"measuring {axis} from {getattr(wanted[0], axis):g} to {getattr(wanted[-1], axis):g}")
        axes[axis] = _measure(wanted, device)
        show(axis, axes[axis])
    return Sweep(axes, on)


def _measure(wanted: Sequence[Size], device: str) -> list[Point]:
    works = [size.work(device, REPEATS) for size in wanted]
    points: list[Point] = []
    for size, work, answer in zip(wanted, works, run_itself(*works), strict=True):
        figures = Figures.of(answer, size)
        assert figures.median_ms is not None
        ns, events = figures.median_ms * 1e6, int(work.spikes["input"].sum()) * size.neurons
        points.append(Point(size, figures, ns / size.values, ns / events if events else None))
    return points
