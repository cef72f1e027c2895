"""How long a thread that waits for another keeps its core.

Kernels take a fraction of a millisecond, so their threads wait for one another by spinning. That is
fastest on an idle machine. Where another program wants the cores, the thread that is waited for may
be without one, and the spinning keeps it from getting one: epochs then take ten times as long.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from pathlib import Path

SHORT_SPIN = "2000"
"""Turns of GNU OpenMP's waiting loop before a thread sleeps: some 0.1 ms."""

_LOOKS = 6
_BETWEEN_LOOKS_S = 0.02
"""Together longer than a process that has just ended takes to go."""


def wait_for_the_load(environment: MutableMapping[str, str], others: int) -> None:
    """Where ``others`` run, let threads sleep early, unless the user has said how they are to wait.

    Call it before torch is loaded, which is when GNU OpenMP reads its settings. No result depends
    on it.
    """
    if others and not environment.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        environment["GOMP_SPINCOUNT"] = SHORT_SPIN


def others_running(source: Path = Path("/proc/loadavg")) -> int:
    """How many other threads use or want a core now, steadily; 0 where the system does not say."""
    counts: list[int] = []
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_LOOKS_S)
        try:
            running = int(source.read_text().split()[3].partition("/")[0])
        except (OSError, ValueError, IndexError):  # not Linux: GNU OpenMP is not in use either
            return 0
        counts.append(running - 1)
    return max(0, min(counts))
