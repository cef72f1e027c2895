"""Chooses the engine that computes: by device, unless ``use_engine`` names an engine.

If the chosen engine cannot run, EngineError is raised; no other engine takes its place.
"""

import contextlib
import functools
import importlib
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import ClassVar

import torch

from netdesc.caller import UserError
from netdesc.kernels.cuda.availability import why_unavailable

_ENGINES = {
    "reference": ("netdesc.kernels.reference.engine", None),
    "cpu": ("netdesc.kernels.cpu.engine", ("cpu",)),
    "cuda": ("netdesc.kernels.cuda.engine", ("cuda", "cpu")),
}
"""Module of each engine, and the device types that the engine runs on (None: all types).

The CUDA engine runs on the CPU only if Triton interprets its kernels.
"""

ENGINE_NAMES = ("auto", *_ENGINES)

_forced: ContextVar[str | None] = ContextVar("netdesc_engine", default=None)
_threads: ContextVar[int | None] = ContextVar("netdesc_threads", default=None)


class EngineError(UserError):
    """The requested engine does not exist or cannot run on this device."""

    exit_code: ClassVar[int] = 3
    """The command line exits with this code if something is missing in the environment."""


def engine_name(device: torch.device) -> str:
    """Returns the name of the engine that will compute on ``device``.

    Raises EngineError if no engine exists for ``device``, or the requested engine cannot run on it.
    """
    forced = _forced.get()
    name = forced or device.type
    if name not in _ENGINES:
        raise EngineError(
            f"netdesc has no fast engine for device '{device.type}'; "
            "use device 'cpu', or engine 'reference', which is slow"
        )
    device_types = _ENGINES[name][1]
    if device_types is not None and device.type not in device_types:
        raise EngineError(
            f"engine '{name}' runs on device '{device_types[0]}', "
            f"but the tensors are on '{device.type}'"
        )
    if name == "cuda" and (reason := why_unavailable(device)) is not None:
        raise EngineError(f"engine 'cuda' cannot run: {reason}")
    return name


def requested_engine() -> str:
    """Returns the name that ``use_engine`` has set, otherwise ``auto``."""
    return _forced.get() or "auto"


def assumed_engine(device: torch.device) -> str:
    """Returns the name of the engine that compiled code will compute on, without checks."""
    return _forced.get() or device.type


def engine_for(device: torch.device) -> ModuleType:
    """Returns the module of the engine that will compute on ``device``.

    Raises EngineError in the same cases as ``engine_name``, and if the module's import fails with
    ValueError.
    """
    return _module(engine_name(device))


@functools.cache
def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(_ENGINES[name][0])
    except ValueError as error:  # Numba checks its environment variables when it is imported
        way = "; unset NUMBA_NUM_THREADS" if "NUMBA_NUM_THREADS" in os.environ else ""
        raise EngineError(f"engine '{name}' cannot run: {str(error).rstrip('.')}{way}") from error


@contextlib.contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Within the block, all operators compute on the engine ``name``; ``auto`` chooses by device.

    Raises EngineError if no engine has this name.
    """
    if name not in ENGINE_NAMES:
        raise EngineError(f"unknown engine '{name}'; netdesc has {', '.join(ENGINE_NAMES)}")
    token = _forced.set(None if name == "auto" else name)
    try:
        yield
    finally:
        _forced.reset(token)


def kernel_threads() -> int:
    """Returns the number of threads for CPU kernels, which is torch's number of threads.

    Within ``torch_on_one_thread``, it is the number that torch had before the block.
    """
    return _threads.get() or torch.get_num_threads()


_torch_threads: list[int] = []
"""Torch's number of threads, once for each call that is in ``torch_on_one_thread``."""

_torch_lock = threading.Lock()


@contextlib.contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Within the block, torch's operations use one thread; kernels keep torch's number of threads.

    Torch and the kernels have separate thread pools. Threads of both spin for milliseconds after
    their work is done, so if the pools take turns, each finds its cores occupied by the other. In
    training, torch's own operations are too small to need more threads.
    """
    with _torch_lock:
        # Torch's number is 1 while another call is in this function.
        number = _torch_threads[0] if _torch_threads else torch.get_num_threads()
        _torch_threads.append(number)
        torch.set_num_threads(1)
    token = _threads.set(number)
    try:
        yield
    finally:
        with _torch_lock:
            _torch_threads.pop()
            torch.set_num_threads(number)
        _threads.reset(token)
