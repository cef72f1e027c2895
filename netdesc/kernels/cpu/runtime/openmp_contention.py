"""Keeps GNU OpenMP from spinning for long while other programs use the cores.

Kernels take a fraction of a millisecond, so their threads wait for one another by spinning. GNU
OpenMP spins for about ten milliseconds before a thread sleeps. On idle cores that is best, as a
sleeping thread may take half a millisecond to wake. If another program uses a core, one thread may
have no core while the others wait for it, and their spinning keeps it from getting a core. An epoch
of 4 milliseconds then takes 60.

GNU OpenMP spins about 100 times shorter while it manages more threads than there are cores
(``gomp_managed_threads`` in its sources). So while cores are contended we keep idle OpenMP threads
alive.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel

THREAD_NAME = "netdesc-contention"
"""Name of the Python threads that own the idle OpenMP threads."""

_SETTINGS = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""A file with three numbers of the calling thread: nanoseconds on a core, nanoseconds that it was
ready but had no core, and how often it got a core (Linux, Documentation/scheduler/sched-stats)."""

_POLL_INTERVAL_S = 0.1

_CONTENDED_SHARE = 0.15
"""Cores are contended if a thread is ready but has no core for more than this share of the time.

The share is below 0.01 on an idle machine, apart from rare delays of some milliseconds, and above
0.3 beside one busy program.
"""

_CALM_S = 2.0
"""Seconds without contention after which the idle threads end."""


@kernel
def start_threads(numbers, threads, thread):
    """Makes Numba start as many threads as ``numba.set_num_threads`` has set.

    Each thread writes its index t to ``numbers[t]``, unless ``numbers`` is too short.
    """
    if thread < len(numbers):
        numbers[thread] = thread


def is_decided(environment: Mapping[str, str]) -> bool:
    """Whether the user has set how OpenMP's threads wait, by an environment variable."""
    return bool(environment.keys() & _SETTINGS)


def delay_s() -> float | None:
    """Returns the seconds that the calling thread was ready but had no core.

    Returns None if the system does not count them.
    """
    try:
        _, delay, times = map(int, _SCHEDSTAT.read_text("ascii").split())
    except (OSError, ValueError):
        return None
    return delay * 1e-9 if times else None  # 0 if the system does not count


def team_sizes(cores: int, computing: int, max_threads: int) -> list[int]:
    """Returns the sizes of the idle OpenMP teams that have to be started.

    With these teams, OpenMP manages more threads than there are ``cores``. ``computing`` threads
    exist already. A team has at most ``max_threads`` threads. One of these is the Python thread
    that starts the team. It is not counted among the threads that OpenMP manages.
    """
    if max_threads < 2:
        return []
    missing = max(1, cores - computing + 1)
    full, rest = divmod(missing, max_threads - 1)
    return [max_threads] * full + ([rest + 1] if rest else [])


class ContentionGuard:
    """Keeps idle OpenMP threads alive while cores are contended.

    ``team_sizes`` returns the sizes of the idle threads' teams. If ``delay_s`` returns None,
    contention cannot be measured; then the threads start at the first poll and stay alive.
    """

    def __init__(
        self,
        team_sizes: Callable[[], list[int]],
        delay_s: Callable[[], float | None] = delay_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._team_sizes = team_sizes
        self._delay_s, self._clock = delay_s, clock
        self._last_poll = threading.local()
        """For each Python thread: ``time`` of its last poll, and its ``delay`` at that time."""
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None
        self._last_contended = 0.0

    def poll(self) -> None:
        """Starts or ends the idle threads. To be called before kernels run.

        Once every ``_POLL_INTERVAL_S`` a call measures contention, which takes about 10
        microseconds. Other calls take 0.1 microseconds.
        """
        now, last = self._clock(), self._last_poll.__dict__
        if now - last.get("time", -math.inf) < _POLL_INTERVAL_S:
            return
        delay = self._delay_s()
        if delay is None:
            last["time"] = math.inf
            self._update(now, is_contended=True)
            return
        if "time" in last:
            share = (delay - last["delay"]) / (now - last["time"])
            self._update(now, is_contended=share > _CONTENDED_SHARE)
        last["time"], last["delay"] = now, delay

    def _update(self, now: float, is_contended: bool) -> None:
        with self._lock:
            if is_contended:
                self._last_contended = now
                if self._stop is None:
                    self._stop = threading.Event()
                    self._start_teams(self._stop)
            elif self._stop is not None and now - self._last_contended > _CALM_S:
                self._stop.set()
                self._stop = None

    def _start_teams(self, stop: threading.Event) -> None:
        """Starts a Python thread for each team. The team's OpenMP threads end with that thread."""

        def idle_until_stop(size: int) -> None:
            numba.set_num_threads(size)
            start_threads(np.zeros(size, np.int32))
            stop.wait()

        for size in self._team_sizes():
            threading.Thread(
                target=idle_until_stop, args=(size,), name=THREAD_NAME, daemon=True
            ).start()
