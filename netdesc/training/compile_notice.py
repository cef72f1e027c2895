"""Tells the user when kernels are compiled, which takes up to a minute, once per machine."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import torch

from netdesc.kernels.engine import engine_for, engine_name

NOTICE = "compiling kernels for this machine (once, up to a minute) …"

INTERPRETED = (
    "Triton interprets the kernels on the CPU, which is thousands of times slower and only for "
    "tests: unset TRITON_INTERPRET, or leave out --engine cuda"
)

_PAUSE_S = 2.0
"""Seconds without a compilation after which the next compilation is reported."""


@contextlib.contextmanager
def compile_notices(device: torch.device, report: Callable[[str], None]) -> Iterator[None]:
    """Within the block, calls ``report`` with ``NOTICE`` when kernels are compiled.

    Nothing is reported if compiled kernels are cached on disk. Compilations that follow one another
    are reported once. A compilation can also occur in the middle of a run, when a layer spikes more
    and needs other kernels. Only the CPU engine's compilations are reported, because Triton does
    not tell when it compiles. If Triton interprets the kernels, ``INTERPRETED`` is reported.
    """
    name = engine_name(device)
    if name != "cpu":
        if name == "cuda" and device.type == "cpu":
            report(INTERPRETED)
        yield
        return
    engine_for(device)  # raises EngineError if Numba cannot be loaded
    from numba.core import event as numba_event

    class Reporter(numba_event.Listener):
        latest = -math.inf

        def on_start(self, event: numba_event.Event) -> None:
            if time.monotonic() - self.latest > _PAUSE_S:
                report(NOTICE)
            self.latest = time.monotonic()

        def on_end(self, event: numba_event.Event) -> None:
            self.latest = time.monotonic()

    with numba_event.install_listener("numba:compile", Reporter()):
        yield
