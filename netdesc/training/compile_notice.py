"""Telling the user when kernels are compiled, which takes seconds on the first use of a machine."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import torch

from netdesc.kernels.engine import engine_for, engine_name

NOTICE = "compiling kernels for this machine (once, up to a minute) …"

INTERPRETED = (
    "Triton interprets the kernels on the CPU, which takes thousands of times as long and is for "
    "tests alone: unset TRITON_INTERPRET, or leave out --engine cuda"
)

_PAUSE_S = 2.0
"""Kernels that are compiled after such a pause are announced again."""


@contextlib.contextmanager
def compile_notices(device: torch.device, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, says ``NOTICE`` before a compilation; a cached kernel causes none.

    It is said once for those that follow on one another, and again in the middle of a run, where
    a layer that comes to spike more takes other kernels. Only the CPU engine's compilations are
    announced; Triton does not say when it compiles. Where it only interprets the CUDA engine's
    kernels, ``INTERPRETED`` is said.
    """
    name = engine_name(device)
    if name != "cpu":
        if name == "cuda" and device.type == "cpu":
            say(INTERPRETED)
        yield
        return
    engine_for(device)  # says it where Numba cannot be loaded
    from numba.core import event as numba_event

    class Announcer(numba_event.Listener):
        latest = -math.inf

        def on_start(self, event: numba_event.Event) -> None:
            if time.monotonic() - self.latest > _PAUSE_S:
                say(NOTICE)
            self.latest = time.monotonic()

        def on_end(self, event: numba_event.Event) -> None:
            self.latest = time.monotonic()

    with numba_event.install_listener("numba:compile", Announcer()):
        yield
