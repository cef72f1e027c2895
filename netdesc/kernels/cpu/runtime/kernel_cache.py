"""Caches compiled kernels on disk, and deletes outdated kernels.

Numba recompiles a kernel when the kernel's own file changes. It does not notice changes in other
files whose functions or constants are compiled into the kernel. So we delete all cached kernels
when any source file of the CPU engine has changed.
"""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import config

from netdesc.kernels.cpu.runtime.numba_internals import (
    IS_PLAIN,
    KernelCache,
    jit_no_refcount,
    on_threads_of,
    thread_count,
)

_STAMP = "sources.sha256"
_KERNELS = Path(__file__).parents[2]


def kernel(function: Callable[..., Any]) -> Any:
    """Decorates ``function(*arguments, threads, thread)``, and returns ``kernel(*arguments)``.

    The kernel calls the function once on each thread: ``threads`` is the number of threads,
    ``thread`` the index of this one. It returns when all calls have ended. ``share_of`` divides
    work among the threads. Numba compiles the kernel at its first call.
    """
    call_all = on_threads_of(jit_no_refcount(function))

    def call(*arguments: Any) -> None:
        threads = thread_count()
        call_all(threads, (*arguments, threads))

    # Numba names compiled functions by these, and no two may have one name.
    call.__module__, call.__qualname__ = function.__module__, function.__qualname__
    compiled = _compile_later(call, function)
    if hasattr(compiled, "stats") and not IS_PLAIN:
        _refresh(Path(compiled.stats.cache_path))
    return compiled


@numba.njit(inline="always")
def share_of(items, threads, thread):
    """Returns the range of the items that are those of a thread."""
    return range(items * thread // threads, items * (thread + 1) // threads)


def neuron_kernel(function: Callable[..., Any]) -> Any:
    """Decorates a kernel of the files that are compiled once for each neuron.

    Numba caches it in the folder of the file, which is written for one neuron and one machine, and
    never changes.
    """
    return _compile_later(function, function)


def _compile_later(function: Callable[..., Any], cached: Callable[..., Any]) -> Any:
    """Returns ``function`` as Numba compiles it at its first call, and caches it as ``cached``.

    The cache is in a temporary folder if neither that of the package nor the user's can be written.
    """
    try:
        compiled: Any = numba.njit(**_OPTIONS)(function)
    except RuntimeError:  # no folder for the cache
        _config.CACHE_DIR = temporary_folder().name
        compiled = numba.njit(**_OPTIONS)(function)
    if hasattr(compiled, "stats") and not IS_PLAIN:  # NUMBA_DISABLE_JIT returns a plain function
        compiled._cache = KernelCache(cached)
    return compiled


@functools.cache
def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Returns a folder that is deleted when the process ends."""
    return tempfile.TemporaryDirectory(prefix="netdesc-kernels-", ignore_cleanup_errors=True)


_config: Any = config  # Numba's type hints do not list the settings

_OPTIONS: Mapping[str, Any] = {
    "cache": not IS_PLAIN,  # dispatchers of plain functions are others in each process
    "nogil": True,
    "error_model": "numpy",  # divisions do not look for 0
    **({} if IS_PLAIN else {"no_cfunc_wrapper": True}),
}


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
        for cached in folder.glob("*.nb[ci]"):
            cached.unlink(missing_ok=True)
        stamp.write_bytes(digest)
