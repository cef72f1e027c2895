"""Kernels that Numba compiles and keeps on disk.

Numba looks at the file of a kernel, but not at the files from which functions are compiled into it,
nor at constants. After an update it would go on with outdated kernels. So all kept kernels are
thrown away when any source of the CPU engine has changed.
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
    """Decorates a function that Numba compiles for all threads and keeps on disk.

    ``options`` are further options of ``numba.njit``.
    """
    if function is None:
        return functools.partial(kernel, **options)
    options = {"parallel": True, "cache": True, "nogil": True} | options
    compiled = numba.njit(**options)(function)
    stats = getattr(compiled, "stats", None)
    if stats is not None:  # with NUMBA_DISABLE_JIT it is a plain function
        _refresh(Path(stats.cache_path))
    return compiled


@functools.cache
def _refresh(folder: Path) -> None:
    forget_outdated(folder, _digest())


@functools.cache
def _digest() -> bytes:
    """The digest of all sources of the CPU engine."""
    digest = hashlib.sha256()
    for source in sorted({*_KERNELS.glob("*.py"), *(_KERNELS / "cpu").rglob("*.py")}):
        name = source.relative_to(_KERNELS).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest()


def forget_outdated(folder: Path, digest: bytes) -> None:
    """Deletes the kernels that Numba keeps in ``folder``, unless ``digest`` is that of last time.

    Where the folder cannot be written nothing is done: Numba keeps nothing there either.
    """
    stamp = folder / _STAMP
    with contextlib.suppress(OSError):
        if stamp.read_bytes() == digest:
            return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for kept in folder.glob("*.nb[ci]"):
            kept.unlink(missing_ok=True)
        stamp.write_bytes(digest)
