"""Kernels that Numba has compiled and keeps: thrown away where what they were made of has changed.

Numba looks at the file that a kernel stands in, but not at those from which functions are compiled
into it, nor at constants. After an update of some files it would go on with the old ones.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

_STAMP = "sources.sha256"
_ROOM = Path(__file__).parent


def forget_outdated(kernel: Any) -> None:
    """Empties the folder where Numba keeps ``kernel``, unless all sources are as they were.

    Sources are the files beside the kernel's own, and those of this room, for their constants.
    Where the folder cannot be written nothing is done: Numba keeps nothing there either.
    """
    stats = getattr(kernel, "stats", None)
    if stats is None:  # with NUMBA_DISABLE_JIT it is a plain function
        return
    folder = Path(stats.cache_path)
    room = Path(kernel.py_func.__code__.co_filename).parent
    digest = hashlib.sha256()
    for source in sorted({*room.glob("*.py"), *_ROOM.glob("*.py")}):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    stamp = folder / _STAMP
    with contextlib.suppress(OSError):
        if stamp.read_bytes() == digest.digest():
            return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for kept in folder.glob("*.nb[ci]"):
            kept.unlink(missing_ok=True)
        stamp.write_bytes(digest.digest())
