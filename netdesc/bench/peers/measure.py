"""Times a layer, and finds its memory and its spike rate. Knows no program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netdesc.bench.peers.memory import host_growth
from netdesc.bench.peers.work import Work

_MIN_S = 0.5
"""Repeats go on for so long: a fast layer's would all fall into one hiccup of the machine."""
_MAX_S = 20.0
"""After so long no further repeat is begun, once there are ``_ENOUGH``."""
_ENOUGH = 5


def _nothing() -> None:
    """A CPU has nothing to wait for, and most programs keep no memory from step to step."""


@dataclass(frozen=True)
class Layer:
    """A program's layer, ready to run.

    ``step`` computes forward and backward once and leaves the gradients where the program leaves
    them; ``wait`` returns when the device is done; ``release`` frees what is kept for the next
    step. ``spike_rate`` is the mean of the output, per neuron and step. ``growth`` measures the
    memory, in bytes, that its argument takes at its peak.
    """

    what: str
    step: Callable[[], object]
    spike_rate: Callable[[], float]
    device: str
    threads: int | None
    wait: Callable[[], object] = _nothing
    release: Callable[[], object] = _nothing
    growth: Callable[[Callable[[], None]], int | None] = host_growth
    path: Callable[[], str | None] = lambda: None


def measure(build: Callable[[Work], Layer], work: Work) -> dict[str, Any]:
    """What ``build``'s layer takes for ``work``: seconds of each repeat, bytes, spikes a step."""
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
        "peak_bytes": layer.growth(once),
        "seconds": _time_repeats(once, work.settings["repeats"]),
        "spike_rate": layer.spike_rate(),
        "path": layer.path(),
    }


def _time_repeats(once: Callable[[], None], repeats: int) -> list[float]:
    """Seconds of each of about ``repeats`` steps (see ``_MIN_S``), after one to warm up."""
    once()
    found: list[float] = []
    begin = time.perf_counter()
    while True:
        start = time.perf_counter()
        if len(found) >= repeats and start - begin > _MIN_S:
            return found
        if len(found) >= _ENOUGH and start - begin > _MAX_S:
            return found
        once()
        found.append(time.perf_counter() - start)
