"""Telling the user when kernels are compiled, which takes seconds on the first use of a machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from netdesc.kernels.engine import engine_for, engine_name

NOTICE = "compiling kernels for this machine (once) …"


@contextlib.contextmanager
def announced(device: torch.device, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, says ``NOTICE`` before the first compilation; a cached kernel causes none.

    Only the CPU engine's compilations are announced; Triton does not say when it compiles.
    """
    if engine_name(device) != "cpu":
        yield
        return
    engine_for(device)  # says it where Numba cannot be loaded
    from numba.core import event as numba_event

    class Announcer(numba_event.Listener):
        is_silent = False

        def on_start(self, event: numba_event.Event) -> None:
            if not self.is_silent:
                self.is_silent = True
                say(NOTICE)

        def on_end(self, event: numba_event.Event) -> None:
            pass

    with numba_event.install_listener("numba:compile", Announcer()):
        yield
