"""Which engine computes: chosen by device, or forced. Nothing falls back in silence."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import ClassVar

import torch

from netdesc.kernels.cuda.obstacle import obstacle

_ENGINES = {
    "reference": ("netdesc.kernels.reference.engine", None),
    "cpu": ("netdesc.kernels.cpu.engine", ("cpu",)),
    "cuda": ("netdesc.kernels.cuda.engine", ("cuda", "cpu")),
}
"""Name of an engine: its module, and the only devices that it runs on.

The CUDA engine runs on the CPU where Triton interprets its kernels.
"""

ENGINE_NAMES = ("auto", *_ENGINES)

_BY_DEVICE = {"cpu": "cpu", "cuda": "cuda"}

_forced: ContextVar[str | None] = ContextVar("netdesc_engine", default=None)
_threads: ContextVar[int | None] = ContextVar("netdesc_threads", default=None)


class EngineError(ValueError):
    """An engine was asked for that does not exist or cannot run on this device."""

    exit_code: ClassVar[int] = 3
    """What the command line returns for it: something of the environment is missing."""


def engine_name(device: torch.device) -> str:
    """The engine that will compute on ``device``."""
    forced = _forced.get()
    name = forced or _BY_DEVICE.get(device.type)
    if name is None:
        raise EngineError(
            f"netdesc has no fast engine for device '{device.type}'; "
            "use the cpu, or ask for engine 'reference', which is slow"
        )
    only_on = _ENGINES[name][1]
    if only_on is not None and device.type not in only_on:
        raise EngineError(
            f"engine '{name}' runs on device '{only_on[0]}', but the tensors are on '{device.type}'"
        )
    if name == "cuda":
        reason = obstacle(device)
        if reason is not None:
            raise EngineError(f"engine 'cuda' cannot run: {reason}")
    return name


def requested_engine() -> str:
    """What ``use_engine`` was last given."""
    return _forced.get() or "auto"


def engine_for(device: torch.device) -> ModuleType:
    """The module of the engine that will compute on ``device``."""
    return _module(engine_name(device))


@functools.cache
def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(_ENGINES[name][0])
    except ValueError as error:  # of Numba, which looks at its environment when it is loaded
        raise EngineError(f"engine '{name}' cannot run: {error}") from error


@contextlib.contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Within the block, compute on the engine ``name``; ``auto`` chooses by device.

    Raises EngineError for a name that no engine has.
    """
    if name not in ENGINE_NAMES:
        raise EngineError(f"unknown engine '{name}'; netdesc has {', '.join(ENGINE_NAMES)}")
    token = _forced.set(None if name == "auto" else name)
    try:
        yield
    finally:
        _forced.reset(token)


def kernel_threads() -> int:
    """On how many threads kernels compute on the CPU: torch's number, see ``one_pool``."""
    return _threads.get() or torch.get_num_threads()


class _Pool:
    """Torch's number of threads while some Python threads compute in ``one_pool``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._number = 1

    def enter(self) -> int:
        with self._lock:
            if not self._inside:  # later ones find the number that the first one has set
                self._number = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)
            return self._number

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            torch.set_num_threads(self._number)


_pool = _Pool()


@contextlib.contextmanager
def one_pool() -> Iterator[None]:
    """Within the block the kernels keep torch's number of threads, torch's own operations get one.

    Torch and the kernels each have a pool of threads, and a thread of either keeps its core for
    milliseconds after its work is done, waiting for more. Where both pools work in turn, each finds
    its cores taken by the other. What torch is left to do in training is small.
    """
    token = _threads.set(_pool.enter())
    try:
        yield
    finally:
        _pool.leave()
        _threads.reset(token)
