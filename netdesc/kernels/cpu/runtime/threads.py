"""Numba's threads: their number, and the Python threads and processes that may use them."""

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
import torch
from numba import config

from netdesc import IMPORTING_PROCESS
from netdesc.kernels.cpu.runtime.openmp_contention import ContentionGuard, is_decided, team_sizes
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.engines import EngineError, kernel_threads

_P = ParamSpec("_P")
_R = TypeVar("_R")

_config: Any = config  # Numba's type hints do not list the settings

_MAX_THREADS: int = _config.NUMBA_NUM_THREADS

_workqueue_lock = threading.RLock()


def thread_count() -> int:
    """Returns the number of threads of a call of kernels, which ``on_threads`` sets."""
    return min(kernel_threads(), _MAX_THREADS)


def thread_count_for(neurons: int) -> int:
    """Returns the number of threads that share the vectors of a layer of ``neurons`` neurons."""
    return min(thread_count(), -(-neurons // LANES))


@functools.cache
def _start_runtime() -> tuple[str, int, ContentionGuard | None]:
    """Starts Numba's threads. Returns the threading layer's name, the process id, and a guard.

    The guard is ``_contention_guard()`` if the threading layer is OpenMP, otherwise None. Raises
    EngineError if Numba cannot compile or has no threading layer.
    """
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
    return layer, os.getpid(), _contention_guard() if layer == "omp" else None


def _contention_guard() -> ContentionGuard | None:
    """Returns None on systems other than Linux, and if the user has set how threads wait."""
    if sys.platform != "linux" or is_decided(os.environ):
        return None
    return ContentionGuard(
        lambda: team_sizes(len(os.sched_getaffinity(0)), thread_count(), _MAX_THREADS)
    )


def on_threads(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorates a function that runs kernels, so that any Python thread may call it.

    Numba's ``workqueue`` layer ends the process if two Python threads compute at once, so with this
    layer only one call runs at a time. Threads do not survive a fork: kernels would hang or crash
    in a process that was forked after kernels ran, so a call in such a process raises EngineError.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        layer, process, guard = _start_runtime()
        if process != os.getpid():
            raise EngineError(
                "this process was forked from one whose kernels had run, and their threads do not "
                "survive a fork; start processes by 'spawn'"
            )
        if guard is not None:
            guard.poll()
        number = thread_count()
        # Others may have set it. A kernel on more threads would write beyond its scratch memory.
        if number != numba.get_num_threads():
            numba.set_num_threads(number)
        if layer == "workqueue":
            with _workqueue_lock:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return call
