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
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import config
from numba.core.caching import FunctionCache

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.parallel_call import on_threads_of, thread_count

_STAMP = "sources.sha256"
_MARK_PREFIX = "complete-"
"""Beginning of the name of a mark: a file that says that the cache holds some kernels."""
_KERNELS = Path(__file__).parents[2]

_DAMAGE = (
    OSError, EOFError, pickle.UnpicklingError, ArithmeticError, AttributeError, ImportError,
    LookupError, MemoryError, TypeError, ValueError,
)  # fmt: skip
"""What reading a damaged file, or one of another user, may raise."""

_by_name: dict[str, Any] = {}
"""Maps ``module.name`` of each kernel to Numba's dispatcher, which is the compiled function."""

_of_neurons: dict[str, Any] = {}
"""The same for kernels of neurons."""


class _Cache(FunctionCache):
    """Numba's cache of a kernel. Where a file is damaged or cannot be written, it compiles."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Returns the compiled kernel for a signature, None if there is none to load."""
        numba.get_num_threads()  # starts Numba's threads, which compiled code needs
        try:
            return super().load_overload(sig, target_context)
        except _DAMAGE:
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Saves a compiled kernel if the folder is not full."""
        with contextlib.suppress(*_DAMAGE):
            super().save_overload(sig, data)

    def list_index_files(self) -> Iterator[Path]:
        """Yields the files in which Numba lists the compiled versions of the kernel."""
        function: Any = self._py_func
        pattern = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}-*.nbi"
        return Path(self.cache_path).glob(pattern)


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
    compiled = _compile_later(call)
    if hasattr(compiled, "stats"):  # not with NUMBA_DISABLE_JIT, which returns a plain function
        compiled._cache = _Cache(function)
        _refresh(Path(compiled.stats.cache_path))
        _by_name[f"{function.__module__}.{function.__qualname__}"] = compiled
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
    compiled = _compile_later(function)
    if hasattr(compiled, "stats"):
        compiled._cache = _Cache(function)
        _of_neurons[f"{function.__module__}.{function.__qualname__}"] = compiled
    return compiled


def _compile_later(function: Callable[..., Any]) -> Any:
    """Returns the function as Numba compiles it at its first call, and caches it.

    The cache is in a temporary folder if neither that of the package nor the user's can be written.
    """
    try:
        return numba.njit(**_OPTIONS)(function)
    except RuntimeError:  # no folder for the cache
        _config.CACHE_DIR = temporary_folder().name
        return numba.njit(**_OPTIONS)(function)


@functools.cache
def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Returns a folder that is deleted when the process ends."""
    return tempfile.TemporaryDirectory(prefix="netdesc-kernels-", ignore_cleanup_errors=True)


_config: Any = config  # Numba's type hints do not list the settings

_OPTIONS: Mapping[str, Any] = {
    "cache": True,
    "nogil": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",  # divisions do not look for 0
}


def kernels() -> Mapping[str, Any]:
    """Returns all kernels of the modules that are imported, as ``_by_name`` maps them."""
    return _by_name | _of_neurons


def name_of(dispatcher: Any) -> str | None:
    """Returns the name of a kernel; None if ``dispatcher`` is another function."""
    return next((name for name, each in kernels().items() if each is dispatcher), None)


def is_complete(need: tuple[object, ...]) -> bool:
    """Whether the cache holds all kernels of ``need`` for this machine and these sources.

    This is the case if ``mark_complete`` was called for it, and no kernel that there was has been
    deleted since then. There are no kernels if Numba must not compile (NUMBA_DISABLE_JIT).
    """
    if not _by_name:
        return True
    with contextlib.suppress(OSError):
        kernels = _mark_of(need).read_text(encoding="utf-8").splitlines()
        return all(map(os.path.exists, kernels))
    return False


def mark_complete(need: tuple[object, ...]) -> None:
    """Writes a mark into the cache, which says that it holds all kernels of ``need``.

    The mark lists the cached kernels that this process has used. Does nothing if the cache cannot
    be written.
    """
    used = (each for each in kernels().values() if each.signatures)
    with contextlib.suppress(OSError):
        text = "".join(f"{index}\n" for each in used for index in each._cache.list_index_files())
        _mark_of(need).write_text(text, encoding="utf-8")


def _mark_of(need: tuple[object, ...]) -> Path:
    """Returns the path of the mark of ``need``, for this machine and these sources."""
    facts = source_digest().hex(), *machine_facts(), *need
    folder = min(Path(each.stats.cache_path) for each in _by_name.values())
    return folder / f"{_MARK_PREFIX}{hashlib.sha256(repr(facts).encode()).hexdigest()[:24]}"


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
