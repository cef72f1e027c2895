"""How long a thread that waits for another keeps its core.

Kernels take a fraction of a millisecond, so their threads wait for one another by spinning. GNU
OpenMP lets them spin for some ten milliseconds, which is best where nobody else wants the cores: a
thread that has gone to sleep may take half a millisecond to wake. Where another program wants them,
the thread that is waited for may be without a core, and spinning keeps it from getting one: an
epoch of four milliseconds then takes sixty.

GNU OpenMP spins for less than a hundredth of that while it has more threads than there are cores
(``gomp_managed_threads`` in its sources). So while the thread that computes is kept from its core,
a crowd of threads stands around that has nothing to do.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel

CROWD = "netdesc-crowd"
"""Name of a Python thread that has called others."""

_SETTINGS = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}

_DELAYS = Path("/proc/thread-self/schedstat")
"""Of the calling thread: how long it computed, and how long it could have but had no core, in
nanoseconds, and how often it came to one (Linux, Documentation/scheduler/sched-stats)."""

_LOOK_EVERY_S = 0.1
_CROWDED = 0.15
"""Share of the time without a core from which others want it: alone it is below 0.01, but for one
delay of some milliseconds now and then, beside one busy program above 0.3."""
_CALM_AFTER_S = 2.0


@kernel
def meet(places):
    """Starts as many threads as there are places, and as Numba may use."""
    for i in numba.prange(len(places)):
        places[i] = i


def is_decided(environment: Mapping[str, str]) -> bool:
    """Whether the user has said how threads wait."""
    return bool(environment.keys() & _SETTINGS)


def delay_s() -> float | None:
    """Seconds that the calling thread had no core though it wanted one; None if nobody counts."""
    try:
        _, delay, times = map(int, _DELAYS.read_text("ascii").split())
    except (OSError, ValueError):
        return None
    return delay * 1e-9 if times else None  # who reads this has come to a core at least once


def teams(cores: int, computing: int, most: int) -> list[int]:
    """Threads to call, by the Python thread that calls them, so that all are more than the cores.

    ``computing`` threads are there already. A Python thread is counted only if others are with it,
    and no more than ``most`` are together.
    """
    if most < 2:
        return []
    others = max(1, cores - computing + 1)
    full, rest = divmod(others, most - 1)
    return [most] * full + ([rest + 1] if rest else [])


class Crowd:
    """Calls threads while the cores are wanted by others, and sends them home afterwards.

    ``teams`` says how many, see there. Where nobody counts how long threads are kept waiting they
    stay from the first look on.
    """

    def __init__(
        self,
        teams: Callable[[], list[int]],
        delay_s: Callable[[], float | None] = delay_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._teams = teams
        self._delay_s, self._clock = delay_s, clock
        self._seen = threading.local()
        """When a Python thread last looked (``time``), and its delay then (``delay``)."""
        self._lock = threading.Lock()
        self._go_home: threading.Event | None = None
        self._last_crowded = 0.0

    def look(self) -> None:
        """Costs a tenth of a microsecond, and some ten of them every ``_LOOK_EVERY_S``."""
        now, seen = self._clock(), self._seen.__dict__
        if now - seen.get("time", -math.inf) < _LOOK_EVERY_S:
            return
        delay = self._delay_s()
        if delay is None:
            seen["time"] = math.inf
            self._decide(now, crowded=True)
            return
        if "time" in seen:
            share = (delay - seen["delay"]) / (now - seen["time"])
            self._decide(now, crowded=share > _CROWDED)
        seen["time"], seen["delay"] = now, delay

    def _decide(self, now: float, crowded: bool) -> None:
        with self._lock:
            if crowded:
                self._last_crowded = now
                if self._go_home is None:
                    self._go_home = threading.Event()
                    self._call(self._go_home)
            elif self._go_home is not None and now - self._last_crowded > _CALM_AFTER_S:
                self._go_home.set()
                self._go_home = None

    def _call(self, go_home: threading.Event) -> None:
        """Nobody waits for them. With the Python thread that called them they all end."""

        def stand_around(size: int) -> None:
            numba.set_num_threads(size)
            meet(np.zeros(size, np.int32))
            go_home.wait()

        for size in self._teams():
            threading.Thread(target=stand_around, args=(size,), name=CROWD, daemon=True).start()
