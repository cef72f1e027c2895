"""Numba's threads: how many, from which Python threads, and in which processes."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
import torch
from numba.core import config
from numba.np.ufunc import threading_layer

from netdesc.kernels.cpu.runtime.openmp_contention import Crowd, is_decided, teams
from netdesc.kernels.engine import EngineError, kernel_threads

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

_numba_setting = threading.local()
"""``number``: the thread count last set in this Python thread; Numba, too, keeps one for each."""

_workqueue_lock = threading.RLock()


def set_thread_count() -> int:
    """Sets and returns the number of threads that Numba computes with (see ``kernel_threads``)."""
    number = min(kernel_threads(), _MAX_THREADS)
    if number != getattr(
        _numba_setting, "number", None
    ):  # asking Numba would take several microseconds
        numba.set_num_threads(number)
        _numba_setting.number = number
    return number


@functools.cache
def _layer_and_process() -> tuple[str, int, Crowd | None]:
    """Starts Numba's threads. Returns their threading layer, the process, and the crowd if any.

    The crowd keeps GNU OpenMP from spinning for too long (see ``crowd``). EngineError where Numba
    cannot compile or has no threading layer.
    """
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError("engine 'cpu' cannot run: NUMBA_DISABLE_JIT is set; unset it")
    torch_threads = torch.get_num_threads()
    try:
        numba.get_num_threads()
    except ValueError as error:
        layer = config.THREADING_LAYER  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError(
            f"engine 'cpu' cannot run: Numba finds no threading layer '{layer}'; "
            "unset NUMBA_THREADING_LAYER"
        ) from error
    torch.set_num_threads(torch_threads)  # starting Numba's threads changes the count for torch
    layer = threading_layer()
    return layer, os.getpid(), _crowd() if layer == "omp" else None


def _crowd() -> Crowd | None:
    """The crowd that GNU OpenMP needs where the user has not said how threads are to wait."""
    if sys.platform != "linux" or is_decided(os.environ):
        return None
    return Crowd(lambda: teams(len(os.sched_getaffinity(0)), set_thread_count(), _MAX_THREADS))


def on_threads(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorates a function that runs kernels, so that any Python thread may call it.

    Numba's ``workqueue`` layer ends the process if two Python threads compute at once, so calls
    wait for one another there. Threads do not survive a fork: a process that was forked after
    kernels ran would hang or crash, so the call raises EngineError in it.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        layer, process, crowd = _layer_and_process()
        if process != os.getpid():
            raise EngineError(
                "this process was forked from one that had computed already, and has none of its "
                "threads; start processes by 'spawn'"
            )
        if crowd is not None:
            crowd.look()
        if layer == "workqueue":
            with _workqueue_lock:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return call
