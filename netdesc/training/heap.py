"""Keeps freed memory in the process while a network is trained on a CPU.

Each step frees large tensors, and allocates tensors of the same sizes. GNU's C library returns
their memory to the system at once, and takes it back page by page. For
``examples/fashion_conv.json`` that was a third of the time of a step at 128 samples a batch, and
nearly half of it at 256.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Parameters of ``mallopt``, from GNU's ``malloc.h``."""

_KEEP_ALL = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}
"""Settings with which memory is never returned, also that of the largest tensors."""

_USUAL = {_TRIM_THRESHOLD: 64 << 20, _MMAP_THRESHOLD: 32 << 20, _MMAP_MAX: 65536}
"""Settings to which the C library adapts by itself in a program that frees large arrays."""


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Within the block, freed memory stays in the process. After it, the system gets it back.

    With another C library than GNU's, nothing changes. In other threads than the first one, GNU's
    keeps tensors of up to 64 MB only.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    for parameter, value in _KEEP_ALL.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)
