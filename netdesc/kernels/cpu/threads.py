"""Numba's threads: how many, from which Python threads, and in which processes."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import ParamSpec, TypeVar

import numba
from numba.core import config
from numba.np.ufunc import threading_layer

from netdesc.kernels.engine import EngineError, kernel_threads

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MAX_THREADS: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

_SPIN_COUNT = "10000"
"""Turns of GNU OpenMP's waiting loop before a thread sleeps: half a millisecond."""

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
    with _waiting_briefly(os.environ):
        numba.get_num_threads()
    return threading_layer(), os.getpid()


@contextlib.contextmanager
def _waiting_briefly(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Within the block, GNU OpenMP loads with threads that give their core away soon.

    It reads its settings once, when it is loaded, and lets a thread that waits for work keep its
    core for some 14 ms. On an idle machine that is as good as any time longer than the pauses
    between kernels; on a busy one the thread that is waited for may be without a core meanwhile,
    and training takes ten times as long. What the user has set stays.
    """
    if environment.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        yield
        return
    environment["GOMP_SPINCOUNT"] = _SPIN_COUNT
    try:
        yield
    finally:
        del environment["GOMP_SPINCOUNT"]


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
