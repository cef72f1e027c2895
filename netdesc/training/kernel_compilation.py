"""Computes a step before the first epoch, so that no epoch waits for the compilation of kernels."""

from __future__ import annotations

import warnings

import torch

from netdesc.kernels.engines import engine_for, engine_name
from netdesc.modules import build
from netdesc.training.interrupt import StopRequest
from netdesc.training.progress import Display
from netdesc.training.setup import Setup

NOTICE = "compiling kernels for networks like this one (once, up to ten seconds) …"


def compile_kernels(setup: Setup, display: Display, stop: StopRequest) -> None:
    """Computes a step of a network like that of ``setup``, with the first batch, on the CPU engine.

    Numba compiles the kernels that its cache lacks. Triton compiles those of the CUDA engine in
    the first epoch. EngineError if Numba cannot be loaded, KeyboardInterrupt if ``stop`` is
    requested, which is looked up between the passes of the compiler.
    """
    stop.check()
    if engine_name(setup.device) != "cpu":
        return
    engine_for(setup.device)  # raises EngineError if Numba cannot be loaded
    from netdesc.kernels.cpu.runtime.numba_internals import call_while_compiling

    notices = iter([NOTICE])

    def look_up() -> None:
        for notice in notices:  # only the first time
            display.info(notice)
        stop.check()

    network, batch = build(setup.graph, seed=0), next(setup.train.shuffled(0))
    with (
        call_while_compiling(look_up),
        torch.random.fork_rng(devices=[]),  # dropout of training draws the same numbers as without
        warnings.catch_warnings(action="ignore"),  # training itself warns
    ):
        setup.loss(network.signals(batch.input_TBN), batch.target).backward()
    stop.check()
