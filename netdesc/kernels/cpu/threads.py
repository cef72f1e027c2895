"""Numba's threads: how many, from which Python threads, and in which processes."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
import numpy as np
import torch
from numba.core import config
from numba.np.ufunc import threading_layer

from netdesc.kernels.engine import EngineError, kernel_threads
from netdesc.kernels.kept import forget_outdated
from netdesc.kernels.waiting import briefly, is_brief

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

CROWD = "netdesc-crowd"
"""Name of the thread that stands around (see ``_call_a_crowd``)."""

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
def _layer_and_process() -> tuple[str, int]:
    """What runs Numba's threads (it is chosen on first use), and the process that they are in."""
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError("engine 'cpu' cannot run: NUMBA_DISABLE_JIT is set; unset it")
    wanted_of_torch = torch.get_num_threads()
    try:
        with briefly(os.environ):
            numba.get_num_threads()
    except ValueError as error:
        wanted = config.THREADING_LAYER  # pyright: ignore[reportAttributeAccessIssue]
        raise EngineError(
            f"engine 'cpu' cannot run: Numba finds no threading layer '{wanted}'; "
            "unset NUMBA_THREADING_LAYER"
        ) from error
    torch.set_num_threads(wanted_of_torch)  # Numba starts as many as there are, for torch as well
    forget_outdated(_meet)
    layer = threading_layer()
    if layer == "omp" and sys.platform == "linux" and not is_brief(os.environ):
        _call_a_crowd()
    return layer, os.getpid()


def _call_a_crowd() -> None:
    """Make GNU OpenMP's threads give their cores away soon, though it was loaded without a word.

    It does so by itself while it has more threads than the machine has cores. So one more thread
    starts a team of two, which then sleeps for good.
    """
    gathered = threading.Event()

    def stand_around() -> None:
        numba.set_num_threads(min(2, _MAX_THREADS))
        _meet(np.zeros(2, np.int32))
        gathered.set()
        threading.Event().wait()

    threading.Thread(target=stand_around, name=CROWD, daemon=True).start()
    gathered.wait()


@numba.njit(parallel=True, cache=True, nogil=True)
def _meet(places):
    for i in numba.prange(len(places)):
        places[i] = i


def on_threads(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let calls from several Python threads take turns where Numba's layer needs that.

    Its own layer, ``workqueue``, ends the process otherwise. Threads do not survive a fork: a
    process that was forked from one that had computed would hang, or end without a word. There the
    call raises EngineError.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        layer, process = _layer_and_process()
        if process != os.getpid():
            raise EngineError(
                "this process was forked from one that had computed already, and has none of its "
                "threads; start processes by 'spawn'"
            )
        if layer == "workqueue":
            with _turn:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return call
