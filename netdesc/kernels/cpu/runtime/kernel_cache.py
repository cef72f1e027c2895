"""Caches compiled kernels on disk, says whether all are there, and deletes outdated kernels.

Numba recompiles a kernel when the kernel's own file changes. It does not notice changes in other
files whose functions or constants are compiled into the kernel. So we delete all cached kernels
when any source file of the CPU engine has changed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba

_STAMP = "sources.sha256"
_MARK_PREFIX = "complete-"
"""Beginning of the name of a mark: a file in a folder that holds all its kernels for a machine."""
_KERNELS = Path(__file__).parents[2]

_by_name: dict[str, Any] = {}
"""Maps ``module.name`` of each kernel to Numba's dispatcher, which is the compiled function."""

_of_neurons: dict[str, Any] = {}
"""The same for kernels of neurons."""


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Decorates a function that Numba compiles for all threads and caches on disk.

    ``options`` are further options of ``numba.njit``.
    """
    if function is None:
        return functools.partial(kernel, **options)
    options = {"parallel": True, "cache": True, "nogil": True} | options
    compiled = numba.njit(**options)(function)
    stats = getattr(compiled, "stats", None)
    if stats is not None:  # None with NUMBA_DISABLE_JIT, which returns a plain function
        _refresh(Path(stats.cache_path))
        _by_name[f"{function.__module__}.{function.__qualname__}"] = compiled
    return compiled


def neuron_kernel(function: Callable[..., Any]) -> Any:
    """Decorates a kernel of the files that are compiled once for each neuron.

    Numba caches it in the folder of the file, which is written for one neuron and one machine, and
    never changes.
    """
    options: dict[str, Any] = {
        "cache": True,
        "nogil": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",  # as in parallel kernels: divisions do not look for 0
    }
    compiled = numba.njit(**options)(function)
    if getattr(compiled, "stats", None) is not None:
        _of_neurons[f"{function.__module__}.{function.__qualname__}"] = compiled
    return compiled


def kernels() -> Mapping[str, Any]:
    """Returns all kernels of the modules that are imported, as ``_by_name`` maps them."""
    return _by_name | _of_neurons


def name_of(dispatcher: Any) -> str | None:
    """Returns the name of a kernel; None if ``dispatcher`` is another function."""
    return next((name for name, each in kernels().items() if each is dispatcher), None)


def is_complete() -> bool:
    """Whether the cache holds all kernels of the imported modules for this machine.

    This is the case if ``mark_complete`` was called for the present sources, and no kernel has been
    deleted since then. Kernels of neurons need no mark, because Numba compiles each for one set of
    types, and their files serve one machine.
    """
    content = _mark_content()
    with contextlib.suppress(OSError):
        are_marked = all(mark.read_bytes() == content for mark in _marks())
        return are_marked and all(map(_is_cached, kernels().values()))
    return False


def mark_complete() -> None:
    """Writes marks into the cache, which say that it holds all kernels for this machine.

    Does nothing if the cache cannot be written.
    """
    with contextlib.suppress(OSError):
        for mark in _marks():
            mark.write_bytes(_mark_content())


def _marks() -> set[Path]:
    """Returns the path of each folder's mark for this machine."""
    machine = hashlib.sha256(repr(machine_facts()).encode()).hexdigest()[:16]
    name = f"{_MARK_PREFIX}{machine}"
    return {Path(each.stats.cache_path) / name for each in _by_name.values()}


def _is_cached(dispatcher: Any) -> bool:
    """Whether the file exists in which Numba lists the compiled versions of the kernel."""
    function = dispatcher.py_func
    pattern = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}-*.nbi"
    return any(Path(dispatcher.stats.cache_path).glob(pattern))


def _mark_content() -> bytes:
    return f"{source_digest().hex()}\n".encode()


@functools.cache
def machine_facts() -> tuple[str | None, ...]:
    """Returns what the compiled kernels depend on: versions, processor and Numba's settings."""
    return (
        sys.version,
        numba.__version__,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        *map(os.environ.get, ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")),
    )


@functools.cache
def _refresh(folder: Path) -> None:
    invalidate_cache(folder, source_digest())


@functools.cache
def source_digest() -> bytes:
    """Returns the SHA-256 digest of all sources of the CPU engine and of ``kernels/*.py``."""
    digest = hashlib.sha256()
    for source in sorted({*_KERNELS.glob("*.py"), *(_KERNELS / "cpu").rglob("*.py")}):
        name = source.relative_to(_KERNELS).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest()


def invalidate_cache(folder: Path, digest: bytes) -> None:
    """Deletes the kernels in Numba's cache ``folder`` if the sources' ``digest`` has changed.

    Does nothing if the folder is not writable: then Numba cannot cache there either.
    """
    stamp = folder / _STAMP
    with contextlib.suppress(OSError):
        if stamp.read_bytes() == digest:
            return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for cached in (*folder.glob("*.nb[ci]"), *folder.glob(f"{_MARK_PREFIX}*")):
            cached.unlink(missing_ok=True)
        stamp.write_bytes(digest)
