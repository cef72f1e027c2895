"""Compiled kernels on disk, and their invalidation when sources change.

Numba recompiles a kernel when the kernel's own file changes. It does not notice changes in other
files whose functions or constants are compiled into the kernel. So we delete all cached kernels
when any source file of the CPU engine has changed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_STAMP = "sources.sha256"
_KERNELS = Path(__file__).parents[2]


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
    return compiled


@functools.cache
def _refresh(folder: Path) -> None:
    invalidate_cache(folder, _digest())


@functools.cache
def _digest() -> bytes:
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
