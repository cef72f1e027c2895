"""Measures the peak memory that a piece of work takes, minus the memory allocated before.

On a CPU this is the peak of the process's resident set during the work, minus its size before. The
resident set contains all memory that was accessed, from any allocator (torch, numpy, Numba, jax),
but not memory that was only reserved. Before the work, freed heap memory is returned to the system.
On Linux the recorded peak is also reset. Elsewhere, an earlier peak may hide the growth.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

_PROCESS = Path("/proc/self")


def host_peak_bytes(work: Callable[[], object]) -> int | None:
    """Runs ``work`` and returns the peak memory that it took in bytes; None if unknown."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # GNU's C library only
    with contextlib.suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")  # forgets earlier peaks
    before = _peak()
    work()
    after = _peak()
    return None if before is None or after is None else max(0, after - before)


def _peak() -> int | None:
    with contextlib.suppress(OSError):
        for line in (_PROCESS / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
