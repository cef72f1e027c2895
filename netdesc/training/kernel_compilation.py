"""Compiles the kernels before the first epoch, so that no epoch waits for them."""

from __future__ import annotations

import torch

from netdesc.description.diagnostics.wording import amount
from netdesc.kernels.engine import engine_for, engine_name
from netdesc.kernels.needs import Need
from netdesc.losses import build_loss
from netdesc.modules import Network
from netdesc.training.interrupt import StopRequest
from netdesc.training.progress import Display

NOTICE = "compiling kernels for networks like this one (once, up to ten seconds) …"


def compile_kernels(
    network: Network, device: torch.device, display: Display, stop: StopRequest
) -> None:
    """Compiles the kernels of the CPU engine that training a network needs, unless they are cached.

    Shows how many are compiled. Triton compiles the kernels of the CUDA engine in the first epoch.
    EngineError if Numba cannot be loaded, KeyboardInterrupt if ``stop`` is requested.
    """
    if engine_name(device) != "cpu":
        stop.check()
        return
    engine_for(device)  # raises EngineError if Numba cannot be loaded
    from netdesc.kernels.cpu.precompile import precompile

    def report(done: int) -> None:
        if done:
            display.show_text(f"compiled {amount(done, 'kernel')}")
        else:
            display.info(NOTICE)

    precompile(needs_of(network), report, stop.check)
    stop.check()


def needs_of(network: Network) -> set[Need]:
    """Returns what a network and its loss need of the CPU engine."""
    graph = network.graph
    return network.needs() | build_loss(graph).needs(graph.steps)
