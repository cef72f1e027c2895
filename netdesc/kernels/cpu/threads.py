"""Numba's threads: how many, from which Python threads, and in which processes."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba
import torch
from numba.core import config
from numba.np.ufunc import threading_layer

from netdesc.kernels.engine import EngineError

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

_turn = threading.RLock()


def threads() -> int:
    """Number of threads to compute with, which is torch's; tells Numba."""
    number = min(torch.get_num_threads(), _MAX_THREADS)
    if number != numba.get_num_threads():
        numba.set_num_threads(number)
    return number


@functools.cache
def _layer_and_process() -> tuple[str, int]:
    """What runs Numba's threads (it is chosen on first use), and the process that they are in."""
    numba.get_num_threads()
    return threading_layer(), os.getpid()


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
