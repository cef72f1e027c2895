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

from netdesc.kernels.cpu.crowd import Crowd, is_decided, meet, teams
from netdesc.kernels.engine import EngineError, kernel_threads
from netdesc.kernels.kept import forget_outdated

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

_told = threading.local()
"""``number``: what Numba was last told in this Python thread; it keeps one for each, too."""

_turn = threading.RLock()


def threads() -> int:
    """Number of threads to compute with (see ``kernel_threads``); tells Numba."""
    number = min(kernel_threads(), _MAX_THREADS)
    if number != getattr(_told, "number", None):  # asking Numba would take several microseconds
        numba.set_num_threads(number)
        _told.number = number
    return number


@functools.cache
def _layer_and_process() -> tuple[str, int, Crowd | None]:
    """What runs Numba's threads (it is chosen on first use), and the process that they are in.

    And who sees to it that they do not hold their cores for too long, where that can be done.
    """
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError("engine 'cpu' cannot run: NUMBA_DISABLE_JIT is set; unset it")
    wanted_of_torch = torch.get_num_threads()
    try:
        numba.get_num_threads()
    except ValueError as error:
        wanted = config.THREADING_LAYER  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError(
            f"engine 'cpu' cannot run: Numba finds no threading layer '{wanted}'; "
            "unset NUMBA_THREADING_LAYER"
        ) from error
    torch.set_num_threads(wanted_of_torch)  # Numba starts as many as there are, for torch as well
    forget_outdated(meet)
    layer = threading_layer()
    return layer, os.getpid(), _crowd() if layer == "omp" else None


def _crowd() -> Crowd | None:
    """The crowd that GNU OpenMP needs where the user has not said how threads are to wait."""
    if sys.platform != "linux" or is_decided(os.environ):
        return None
    return Crowd(lambda: teams(len(os.sched_getaffinity(0)), threads(), _MAX_THREADS))


def on_threads(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let calls from several Python threads take turns where Numba's layer needs that.

    Its own layer, ``workqueue``, ends the process otherwise. Threads do not survive a fork: a
    process that was forked from one that had computed would hang, or end without a word. There the
    call raises EngineError.
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
            with _turn:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return call
