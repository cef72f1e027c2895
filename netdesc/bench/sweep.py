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

_ONLY_MEMORY = {"loss": "loop", "repeats": 0}


@dataclass(frozen=True)
class Point:
    """What one size takes. Times are of a pass forward and backward, as ``layer`` measures it.

    ``ns_per_value`` is nanoseconds by step, sample and neuron; ``ns_per_event`` nanoseconds by
    synaptic event, which is one input spike arriving at one neuron. Memory is the peak of a step
    of training (forward pass, spike-time loss, backward pass) over what was held before it: input,
    target and weights. ``peak_units`` is in 4 bytes · steps · batch · neurons, summed over layers,
    of which there is one; ``gradient_units`` of them are the gradients of the weights, which do
    not grow with the activity. ``loop_bytes`` and ``loop_units`` are the same as ``peak_bytes`` and
    ``peak_units`` for a loop of one's own, in which torch hands tensors from one operator to the
    next.
    """

    size: Size
    median_ms: float
    low_ms: float
    high_ms: float
    ns_per_value: float
    ns_per_event: float | None
    path: str
    spike_rate: float
    peak_bytes: int | None
    peak_units: float | None
    gradient_units: float
    loop_bytes: int | None
    loop_units: float | None


@dataclass(frozen=True)
class Sweep:
    """Points by axis, in the axis's order, and what they depend on."""

    axes: dict[str, list[Point]]
    machine: dict[str, object]
    versions: dict[str, str]
    device: str
    threads: int | None

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
    """Measures every size, in processes of its own, in which memory is fresh.

    ``show`` is called with each axis and its points once they are measured: what was shown is not
    lost where the rest is interrupted. BenchError where a measurement fails.
    """
    known: dict[Size, Point] = {}
    axes: dict[str, list[Point]] = {}
    figures, on = None, machine()
    for axis, wanted in sizes():
        note(f"measuring {axis} from {getattr(wanted[0], axis):g} to {getattr(wanted[-1], axis):g}")
        for point, made in _measured([size for size in wanted if size not in known], device):
            known[point.size], figures = point, made
        axes[axis] = [known[size] for size in wanted]
        show(axis, axes[axis])
    assert figures is not None
    return Sweep(axes, on, figures.versions or {}, figures.device or device, figures.threads)


def _measured(wanted: Sequence[Size], device: str) -> Iterator[tuple[Point, Figures]]:
    """Points of the sizes in their order, and what else was found there."""
    works = [size.work(device, REPEATS, loss="training") for size in wanted]
    loops = [replace(work, settings=work.settings | _ONLY_MEMORY) for work in works]
    answers = run_itself(*works, *loops)
    trainings, loops = answers[: len(works)], answers[len(works) :]
    for size, work, training, loop in zip(wanted, works, trainings, loops, strict=True):
        figures = Figures.of(training, size)
        events = int(work.spikes["input"].sum()) * size.neurons
        yield _point(size, events, figures, loop.result["peak_bytes"]), figures


def _point(size: Size, events: int, figures: Figures, loop_bytes: int | None) -> Point:
    assert figures.median_ms is not None
    assert figures.low_ms is not None
    assert figures.high_ms is not None
    assert figures.spike_rate is not None
    return Point(
        size,
        figures.median_ms,
        figures.low_ms,
        figures.high_ms,
        ns_per_value=figures.median_ms * 1e6 / size.values,
        ns_per_event=figures.median_ms * 1e6 / events if events else None,
        path=figures.path or "",
        spike_rate=figures.spike_rate,
        peak_bytes=figures.peak_bytes,
        peak_units=figures.peak_units,
        gradient_units=size.inputs * size.neurons / size.values,
        loop_bytes=loop_bytes,
        loop_units=None if loop_bytes is None else loop_bytes / (4 * size.values),
    )
