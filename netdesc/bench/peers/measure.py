"""Times a layer, and finds its memory and its spike rate. Knows no program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netdesc.bench.peers.memory import host_growth
from netdesc.bench.peers.work import Work

_SHORTEST_S = 0.5
"""Repeats go on for so long: a fast layer's would all fall into one hiccup of the machine."""
_LONGEST_S = 20.0
"""After so long no further repeat is begun, once there are enough."""
_ENOUGH = 5
_WARM_UP = 2
_FIRST_STEPS = 256
"""Of the pass before all others: so many show how often an input spikes, by which a program may
choose what it computes with."""


def _at_once() -> None:
    """The CPU has nothing to wait for."""


@dataclass(frozen=True)
class Layer:
    """A program's layer, ready to run.

    ``step`` computes forward and backward once and leaves the gradients where the program leaves
    them; ``wait`` returns when the device is done; ``spike_rate`` is the mean of the output, per
    neuron and step. ``loss_step`` is a step with a loss, where the program's memory is asked for
    with one. ``growth`` measures the memory, in bytes, that its argument takes at its peak.
    """

    what: str
    step: Callable[[], object]
    spike_rate: Callable[[], float]
    device: str
    threads: int | None
    wait: Callable[[], object] = _at_once
    loss_step: Callable[[], object] | None = None
    growth: Callable[[Callable[[], None]], int | None] = host_growth
    path: Callable[[], str | None] = lambda: None


def measure(build: Callable[[Work], Layer], work: Work) -> dict[str, Any]:
    """What ``build``'s layer takes for ``work``: seconds of each repeat, bytes, spikes a step."""
    # Loads kernels and starts threads, and leaves no memory of sizes that the work could use again.
    small = build(work.cut(steps=_FIRST_STEPS))
    for each in (small.step, small.loss_step):
        if each is not None:
            each()
    small.wait()
    del small
    layer = build(work)

    def once() -> None:
        (layer.loss_step or layer.step)()
        layer.wait()

    peak_bytes = layer.growth(once)
    return {
        "what": layer.what,
        "device": layer.device,
        "threads": layer.threads,
        "peak_bytes": peak_bytes,
        "seconds": seconds(layer, work.settings["repeats"]),
        "spike_rate": layer.spike_rate(),
        "path": layer.path(),
    }


def seconds(layer: Layer, repeats: int) -> list[float]:
    """Seconds of each of about ``repeats`` steps (see ``_SHORTEST_S``), after a warm-up.

    None are taken where no repeats are wanted: only the memory is.
    """
    if not repeats:
        return []
    for _ in range(_WARM_UP):
        layer.step()
    found: list[float] = []
    begin = time.perf_counter()
    while True:
        so_far = time.perf_counter() - begin
        if len(found) >= repeats and so_far > _SHORTEST_S:
            return found
        if len(found) >= _ENOUGH and so_far > _LONGEST_S:
            return found
        layer.wait()
        start = time.perf_counter()
        layer.step()
        layer.wait()
        found.append(time.perf_counter() - start)
