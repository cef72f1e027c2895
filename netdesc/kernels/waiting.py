"""How long a thread that waits for another keeps its core.

Kernels take a fraction of a millisecond, so their threads wait for one another by spinning. GNU
OpenMP lets them spin for some 14 ms, which is fastest on an idle machine. Where another program
wants the cores, the thread that is waited for may be without one, and the spinning keeps it from
getting one: an epoch of 2.5 ms then takes 80. With ``SPIN_COUNT`` it takes 7, and 2.6 where nobody
else wants the cores.

The library reads its settings when it is loaded. Torch brings it along and offers it to all, so
that Numba's threads are in the same pool: what is wanted has to be said before torch is loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping

SPIN_COUNT = "5000"
"""Turns of GNU OpenMP's waiting loop before a thread sleeps: 0.25 ms, longer than most pauses."""

_SETTINGS = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}

_loaded_by_us = False


def load_torch() -> None:
    """Load torch, if nobody has, with threads that give their core away soon."""
    global _loaded_by_us
    if "torch" not in sys.modules:
        with briefly(os.environ):
            importlib.import_module("torch")
        _loaded_by_us = True


def is_brief(environment: MutableMapping[str, str]) -> bool:
    """Whether threads wait as we or the user decided, as far as is known."""
    return _loaded_by_us or bool(environment.keys() & _SETTINGS)


@contextlib.contextmanager
def briefly(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Within the block, GNU OpenMP loads with ``SPIN_COUNT``. What the user has set stays."""
    if environment.keys() & _SETTINGS:
        yield
        return
    environment["GOMP_SPINCOUNT"] = SPIN_COUNT
    try:
        yield
    finally:
        del environment["GOMP_SPINCOUNT"]
