"""Compiles kernels at their first call, and caches them on disk.

A kernel's file has a name that depends on all sources of the CPU engine, because functions and
constants of other files are compiled into the kernel, and on the machine.
"""

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba

from netdesc.kernels.cache_folder import source_digest, version_folder
from netdesc.kernels.cpu.runtime.numba_internals import (
    KernelCache,
    jit_no_refcount,
    on_threads_of,
    thread_count,
)

GENERATED = "netdesc_generated_"
"""How the names of generated modules begin."""


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
    return _compile_later(call, function)


@numba.njit(inline="always")
def share_of(items, threads, thread):
    """Returns the range of the items that are those of a thread."""
    return range(items * thread // threads, items * (thread + 1) // threads)


def neuron_kernel(function: Callable[..., Any]) -> Any:
    """Decorates a kernel of the files that are compiled once for each neuron.

    It is cached beside its file, which is written for one neuron and one machine.
    """
    return _compile_later(function, function)


def _compile_later(function: Callable[..., Any], cached: Callable[..., Any]) -> Any:
    """Returns ``function`` as Numba compiles it at its first call, and caches it as ``cached``."""
    # In numpy's error model, divisions do not look for 0.
    options: Any = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    compiled: Any = numba.njit(**options)(function)
    if hasattr(compiled, "stats"):  # NUMBA_DISABLE_JIT returns a plain function
        source = Path(cached.__code__.co_filename)
        is_generated = cached.__module__.startswith(GENERATED)
        folder = source.parent / "__pycache__" if is_generated else version_folder()
        facts = repr((machine_facts(), source_digest(), _digest(source)))
        compiled._cache = KernelCache(folder / f"{source.stem}.{cached.__qualname__}", facts)
    return compiled


@functools.cache
def _digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


@functools.cache
def machine_facts() -> tuple[str | None, ...]:
    """Returns what the compiled kernels depend on: versions, processor and Numba's settings."""
    return (
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        *map(os.environ.get, ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")),
    )
