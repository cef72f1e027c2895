"""How much memory a piece of work takes beyond what was held before it, at its peak.

On a CPU this is the process's resident set: its high-water mark during the work, less what was
resident just before. It counts what was really touched, whoever asked for it (torch's allocator,
numpy, Numba, jax), and not what was only reserved. What the heap has freed is given back to the
system first, and the high-water mark is set back where the system allows that (Linux). Elsewhere
the mark may hide growth below an earlier peak.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

_PROCESS = Path("/proc/self")


def host_growth(work: Callable[[], None]) -> int | None:
    """Bytes that ``work`` took at its peak; None where the system does not say."""
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
