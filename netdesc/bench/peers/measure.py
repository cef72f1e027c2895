"""Measures time, memory and spike rate of a program's layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netdesc.bench.peers.memory import host_peak_bytes
from netdesc.bench.peers.work import Work

_MIN_S = 0.5
"""The shortest duration of all repeats together, so that a short pause of the machine affects only
some of the repeats."""
_MAX_S = 20.0
"""After this time no further repeat starts, if ``_MIN_REPEATS`` are done."""
_MIN_REPEATS = 5


@dataclass(frozen=True)
class TimedLayer:
    """A program's layer, ready to run.

    ``step`` runs a forward and backward pass; ``wait`` returns when the device has finished;
    ``release`` frees memory kept for the next step. ``spike_rate`` returns the output spikes per
    neuron and step, None if the neurons do not spike. ``peak_bytes`` runs its argument and returns
    the peak memory that this took.
    """

    what: str
    step: Callable[[], object]
    spike_rate: Callable[[], float | None]
    device: str
    threads: int | None
    wait: Callable[[], object] = lambda: None
    release: Callable[[], object] = lambda: None
    peak_bytes: Callable[[Callable[[], object]], int | None] = host_peak_bytes
    path: Callable[[], str | None] = lambda: None


def measure(build: Callable[[Work], TimedLayer], work: Work) -> dict[str, Any]:
    """Builds the layer of ``work`` with ``build`` and measures it; returns an object for JSON."""
    layer = build(work)

    def once() -> None:
        layer.step()
        layer.wait()

    once()  # loads kernels and starts threads
    layer.release()
    return {
        "what": layer.what,
        "device": layer.device,
        "threads": layer.threads,
        "peak_bytes": layer.peak_bytes(once),
        "seconds": _time_repeats(once, work.settings["repeats"]),
        "spike_rate": layer.spike_rate(),
        "path": layer.path(),
    }


def _time_repeats(once: Callable[[], None], repeats: int) -> list[float]:
    """Returns the seconds of each of ``repeats`` steps after a warm-up step.

    There are more until ``_MIN_S`` are over, and fewer, but ``_MIN_REPEATS``, after ``_MAX_S``.
    """
    once()
    found: list[float] = []
    begin = time.perf_counter()
    while True:
        start = time.perf_counter()
        if len(found) >= repeats and start - begin > _MIN_S:
            return found
        if len(found) >= _MIN_REPEATS and start - begin > _MAX_S:
            return found
        once()
        found.append(time.perf_counter() - start)
