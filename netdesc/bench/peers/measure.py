"""Measures time, memory and spike rate of a layer of any program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netdesc.bench.peers.memory import host_peak_bytes
from netdesc.bench.peers.work import Work

_MIN_S = 0.5
"""Repeats last at least this long, so that a short pause of the machine does not hit them all."""
_MAX_S = 20.0
"""After this time no repeat starts, if there are at least ``_MIN_REPEATS``."""
_MIN_REPEATS = 5


def _do_nothing() -> None:
    """For a CPU, which needs no waiting, and for programs that keep no memory between steps."""


@dataclass(frozen=True)
class TimedLayer:
    """A program's layer, ready to run.

    ``step`` runs one forward and backward pass; ``wait`` returns when the device is done;
    ``release`` frees memory that is kept for the next step. ``spike_rate`` is spikes a neuron a
    step of the output. ``peak_bytes`` measures the largest memory that its argument takes.
    """

    what: str
    step: Callable[[], object]
    spike_rate: Callable[[], float]
    device: str
    threads: int | None
    wait: Callable[[], object] = _do_nothing
    release: Callable[[], object] = _do_nothing
    peak_bytes: Callable[[Callable[[], None]], int | None] = host_peak_bytes
    path: Callable[[], str | None] = lambda: None


def measure(build: Callable[[Work], TimedLayer], work: Work) -> dict[str, Any]:
    """Measures the layer that ``build`` returns for ``work``; the result is JSON."""
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
    """Seconds of each of about ``repeats`` steps (see ``_MIN_S``), after a warm-up step."""
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
