"""Compiles all kernels before they are needed, in two processes that share Numba's cache.

Threads would not help, because Numba compiles under a lock. The kernels are called with small
tensors, so that Numba compiles them for the types that training uses. Run as a module with the name
of a part, this file compiles that part. It prints the name of each kernel when it is compiled, and
an empty line before each pass of the compiler.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numba.core import event as numba_event

import netdesc
import netdesc.kernels.cpu.engine  # registers all kernels
from netdesc.kernels import operators
from netdesc.kernels.cpu.runtime import kernel_cache
from netdesc.kernels.cpu.runtime.openmp_contention import start_threads
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.weight_gradient import weight_gradient_by_events
from netdesc.kernels.cpu.walk.layer_forward import current_by_events
from netdesc.kernels.engine import kernel_threads, use_engine

Report = Callable[[int, int], None]
"""Called with the number of kernels that are compiled, and the number of all kernels."""

_STEPS, _BATCH, _INPUTS, _UNITS = 48, 2, 8, 192
_DENSITIES = (0.05, 0.35, 0.9)
"""Three shares of spiking inputs, for which a layer uses different kernels.

With the first it adds events row by row, with the second it adds events ordered by input, and with
the third it computes a matrix product.
"""

_NUMBERS = [0.5, 0.1, 1.0, 1.0]
"""Threshold, tau_grad, scale_grad and axonal delay of neurons."""


def _spikes(density: float) -> torch.Tensor:
    """Returns random spikes [steps, batch, inputs], which are the same at each call."""
    random = np.random.default_rng(0)
    values = random.random((_STEPS, _BATCH, _INPUTS), np.float32) < density
    return torch.from_numpy(values.astype(np.float32))


def _neurons() -> list[torch.Tensor]:
    """Returns both decays, bias and tau, as ``operators.segment`` gets them. Decays are learnt."""
    decays = (torch.tensor(decay, requires_grad=True) for decay in (0.5, 0.3))
    return [*decays, torch.empty(0), torch.empty(0)]


def _compile_segments() -> None:
    """Compiles the kernels of ``operators.segment``, forward and backward."""
    wide = torch.full((_UNITS, _INPUTS), 0.5, requires_grad=True)
    narrow = torch.full((_INPUTS, _UNITS), 4.0, requires_grad=True)
    tensors = [wide, *_neurons(), narrow, *_neurons()]
    for density in _DENSITIES:
        input_TBI = _spikes(density).requires_grad_()
        out_TBN, _, _ = operators.segment(
            input_TBI, tensors, [8.0, *_NUMBERS] * 2, [True, True], True
        )
        out_TBN.sum().backward()


def _compile_synapses() -> None:
    """Compiles the kernels of synapses without neurons, and of currents without voltages."""
    starts = np.arange(_STEPS * _BATCH + 1)
    events = Events(_STEPS, _BATCH, starts, np.zeros(len(starts) - 1, np.int32))
    weight_OI = np.ones((4, _INPUTS), np.float32)
    weight_gradient_by_events(current_by_events(events, weight_OI), events, weight_OI)
    decay = torch.tensor(0.5, requires_grad=True)
    operators.leaky(_spikes(0.5).requires_grad_(), decay).sum().backward()


def _compile_losses() -> None:
    """Compiles the kernels of losses and classifiers."""
    output_TBN = _spikes(0.5).requires_grad_()
    for order, length in ((2, 10), (2, 100)):  # states of 64 and of 32 bits
        loss, _ = operators.spike_time(output_TBN, _spikes(0.1), 0.6, order, length)
        loss.backward()
    labels_TB = torch.zeros(_STEPS, _BATCH, dtype=torch.int64)
    operators.window_loss(output_TBN, labels_TB, 5, "softmax", 0.9, 0.1).backward()
    operators.window_classes(output_TBN.detach(), 5)


def _compile_runtime() -> None:
    start_threads(np.zeros(2, np.int32))


PARTS: dict[str, tuple[Callable[[], None], ...]] = {
    "segments": (_compile_segments,),
    "others": (_compile_losses, _compile_synapses, _compile_runtime),
}
"""The work of each of the two processes. Both take about as long, and have no kernel in common."""


def precompile(
    report: Report = lambda done, total: None, check: Callable[[], None] = lambda: None
) -> int:
    """Compiles the kernels that the cache lacks, and returns the number of all kernels.

    ``report`` is called at the start and after each kernel, ``check`` before each pass of Numba's
    compiler in either process. To stop, ``check`` raises an exception: unlike an exception of a
    signal's handler, it leaves no lock of the compiler taken. If the cache has all kernels, neither
    is called.
    """
    total = len(kernel_cache.kernels())
    if kernel_cache.is_complete():
        return total
    compiled: set[str] = set()

    def add(name: str) -> None:
        compiled.add(name)
        report(len(compiled), total)

    report(0, total)
    own, other = PARTS
    with _other_process(other, add, check) as wait:
        _compile(own, add, check)
        has_compiled = wait()
    if not has_compiled:
        _compile(other, add, check)
    kernel_cache.mark_complete()
    return total


class _OnStart(numba_event.Listener):
    """Calls a function at the start of each event."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function

    def on_start(self, event: numba_event.Event) -> None:
        self._function()

    def on_end(self, event: numba_event.Event) -> None: ...


class _OnKernel(numba_event.Listener):
    """Calls ``add`` with the name of each kernel that is compiled."""

    def __init__(self, add: Callable[[str], None]) -> None:
        self._add = add

    def on_start(self, event: numba_event.Event) -> None: ...

    def on_end(self, event: numba_event.Event) -> None:
        name = kernel_cache.name_of((event.data or {}).get("dispatcher"))
        if name is not None:
            self._add(name)


def _compile(part: str, add: Callable[[str], None], check: Callable[[], None]) -> None:
    """Compiles a part in this process.

    Calls ``add`` with the name of each kernel, and ``check`` before each pass of the compiler.
    """
    with (
        use_engine("cpu"),
        numba_event.install_listener("numba:compile", _OnKernel(add)),
        numba_event.install_listener("numba:run_pass", _OnStart(check)),
    ):
        for compile_kernels in PARTS[part]:
            compile_kernels()


@contextlib.contextmanager
def _other_process(
    part: str, add: Callable[[str], None], check: Callable[[], None]
) -> Iterator[Callable[[], bool]]:
    """Compiles ``part`` in another process during the block, if there are several cores.

    Yields a function that waits for the end of the process, and meanwhile calls ``add`` with the
    name of each kernel, and ``check`` at least once a pass. It returns whether all kernels of the
    part are compiled; with one core, it returns False at once. At the end of the block, the process
    is killed if it still runs.
    """
    if kernel_threads() < 2 or not sys.executable:
        yield lambda: False
        return
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        # -P: a file in the working directory must not be imported instead of a package.
        [sys.executable, "-P", "-m", __spec__.name, part],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        process_group=0,  # Ctrl-C reaches only the parent, which kills this process
    )

    def wait() -> bool:
        assert process.stdout is not None
        for line in process.stdout:
            check()
            if name := line.strip():
                add(name)
        return process.wait() == 0

    with process:
        try:
            yield wait
        finally:
            process.kill()


if __name__ == "__main__":
    _compile(sys.argv[1], lambda name: print(name, flush=True), lambda: print(flush=True))
