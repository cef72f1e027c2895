"""How long a thread that waits for another keeps its core.

Kernels take a fraction of a millisecond, so their threads wait for one another by spinning. That is
fastest on an idle machine. Where another program wants the cores, the thread that is waited for may
be without one, and the spinning keeps it from getting one: epochs then take ten times as long.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

BUSY = 0.75
"""Mean number of programs that ran in the last minute, from which the machine counts as busy."""

SHORT_SPIN = "2000"
"""Turns of GNU OpenMP's waiting loop before a thread sleeps: some 0.1 ms."""


def wait_for_the_load(environment: MutableMapping[str, str], load: float) -> None:
    """On a busy machine, let threads sleep early, unless the user has said how they are to wait.

    Call it before torch is loaded, which is when GNU OpenMP reads its settings. No result depends
    on it.
    """
    if load >= BUSY and not environment.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        environment["GOMP_SPINCOUNT"] = SHORT_SPIN


def load_average() -> float:
    """Programs that ran at a time in the last minute; 0 where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return 0.0
