"""Compiles the kernels before the first epoch, so that no epoch waits for them."""

from __future__ import annotations

import torch

from netdesc.kernels.engine import engine_for, engine_name
from netdesc.training.interrupt import StopRequest
from netdesc.training.progress import Display

NOTICE = "compiling kernels for this machine (once, up to a minute) …"

INTERPRETED = (
    "Triton interprets the kernels on the CPU, which is thousands of times slower and only for "
    "tests: unset TRITON_INTERPRET, or leave out --engine cuda"
)


def compile_kernels(device: torch.device, display: Display, stop: StopRequest) -> None:
    """Compiles all kernels of the CPU engine that are not cached, and shows how many are done.

    Triton compiles the kernels of the CUDA engine in the first epoch. If it interprets them,
    ``INTERPRETED`` is shown. EngineError if Numba cannot be loaded, KeyboardInterrupt if ``stop``
    is requested.
    """
    name = engine_name(device)
    if name == "cuda" and device.type == "cpu":
        display.info(INTERPRETED)
    if name != "cpu":
        stop.check()
        return
    engine_for(device)  # raises EngineError if Numba cannot be loaded
    from netdesc.kernels.cpu.precompile import precompile

    def report(done: int, total: int) -> None:
        if done:
            display.show_text(f"compiled {done} of {total} kernels")
        else:
            display.info(NOTICE)

    precompile(report, stop.check)
    stop.check()
