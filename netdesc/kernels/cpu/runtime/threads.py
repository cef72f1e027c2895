"""Numba's threads: their number, and the Python threads and processes that may use them."""

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numba
import torch
from numba import config

from netdesc import IMPORTING_PROCESS
from netdesc.kernels.cpu.runtime.numba_internals import thread_count_reader
from netdesc.kernels.cpu.runtime.openmp_contention import ContentionGuard, is_decided, team_sizes
from netdesc.kernels.engines import EngineError, kernel_threads

_P = ParamSpec("_P")
_R = TypeVar("_R")

_config: Any = config  # Numba's type hints do not list the settings

_MAX_THREADS: int = _config.NUMBA_NUM_THREADS

_workqueue_lock = threading.RLock()


class _Call(threading.local):
    """The call of kernels that a Python thread is in, or was in last."""

    threads = _MAX_THREADS
    """Number of threads, which ``on_threads`` sets."""


current_call = _Call()


class _Runtime(NamedTuple):
    layer: str
    """Name of Numba's threading layer."""
    process: int
    """The process that started Numba's threads."""
    read_threads: Callable[[], int]
    """Returns the number of threads that Numba uses."""
    guard: ContentionGuard | None
    """None unless the threading layer is OpenMP on Linux, and if the user has set how it waits."""


@functools.cache
def _start_runtime() -> _Runtime:
    """Starts Numba's threads. Raises EngineError if Numba cannot compile or has no threading
    layer."""
    if _config.DISABLE_JIT:
        raise EngineError("engine 'cpu' cannot run: NUMBA_DISABLE_JIT is set; unset it")
    if os.getpid() != IMPORTING_PROCESS and _config.THREADING_LAYER == "default":
        _config.THREADING_LAYER = "workqueue"  # OpenMP hangs in a fork if torch had used it before
    torch_threads = torch.get_num_threads()
    try:
        numba.get_num_threads()
    except ValueError as error:
        layer = _config.THREADING_LAYER
        raise EngineError(
            f"engine 'cpu' cannot run: Numba finds no threading layer '{layer}'; "
            "unset NUMBA_THREADING_LAYER"
        ) from error
    torch.set_num_threads(torch_threads)  # starting Numba's threads changes the count for torch
    layer = numba.threading_layer()  # pyright: ignore[reportPrivateImportUsage]
    guard = None
    if layer == "omp" and sys.platform == "linux" and not is_decided(os.environ):
        guard = ContentionGuard(
            lambda: team_sizes(len(os.sched_getaffinity(0)), current_call.threads, _MAX_THREADS)
        )
    return _Runtime(layer, os.getpid(), thread_count_reader(), guard)


def on_threads(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorates a function that runs kernels, so that any Python thread may call it.

    Numba's ``workqueue`` layer ends the process if two Python threads compute at once, so with this
    layer only one call runs at a time. Threads do not survive a fork: kernels would hang or crash
    in a process that was forked after kernels ran, so a call in such a process raises EngineError.
    """

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        layer, process, read_threads, guard = _start_runtime()
        if process != os.getpid():
            raise EngineError(
                "this process was forked from one whose kernels had run, and their threads do not "
                "survive a fork; start processes by 'spawn'"
            )
        current_call.threads = min(kernel_threads(), _MAX_THREADS)
        if guard is not None:
            guard.poll()
        # Others may have set it. A kernel on more threads would write beyond its scratch memory.
        if current_call.threads != read_threads():
            numba.set_num_threads(current_call.threads)
        if layer == "workqueue":
            with _workqueue_lock:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return run
