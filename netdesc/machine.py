"""Reads the cores and the memory that this process may use, without importing torch or numpy.

On Linux, the limits of a container or of a batch job are read from its control groups
(cgroup version 2).
"""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

_SYSTEM = Path("/")


class Cores(NamedTuple):
    """The numbers of CPU cores of the machine (``present``) and for this process (``allowed``).

    ``quota`` is the CPU time that the process may use, in cores; None if it is unlimited.
    """

    present: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> int:
        """The average number of threads that can run at the same time; at least 1."""
        return max(1, round(min(self.allowed, self.quota or self.allowed)))


class Memory(NamedTuple):
    """The total and the available memory in bytes; None if unknown."""

    total: int | None
    available: int | None


def cores(system: Path = _SYSTEM) -> Cores:
    """Reads the CPU cores and the quota. ``system`` is the folder that holds ``sys``."""
    present = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    allowed = len(affinity(0)) if affinity else present
    quotas: list[float] = []
    for group in _control_groups(system):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            quotas.append(int(quota) / int(period))
    return Cores(present, allowed, min(quotas, default=None))


def memory(system: Path = _SYSTEM) -> Memory:
    """Reads the memory of the machine, or of the control group with the least memory left.

    ``system`` is the folder that holds ``proc`` and ``sys``.
    """
    lines = _read(system / "proc/meminfo").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    total, available = (
        int(kibibytes) * 1024
        if (kibibytes := value.removesuffix("kB").strip()).isdecimal()
        else None
        for value in (fields.get("MemTotal", ""), fields.get("MemAvailable", ""))
    )
    for group in _control_groups(system):
        limit, used = (_read(group / name) for name in ("memory.max", "memory.current"))
        # The system gives up file caches that were not read recently when memory runs short.
        _, _, cache = _read(group / "memory.stat").partition("\ninactive_file ")
        cached = cache.partition("\n")[0]
        if not limit.isdecimal():
            continue
        total = int(limit) if total is None else min(total, int(limit))
        if used.isdecimal():
            left = max(0, int(limit) - int(used) + (int(cached) if cached.isdecimal() else 0))
            available = left if available is None else min(available, left)
    return Memory(total, available)


def free_bytes() -> int | None:
    """Returns the available memory, or the total if the system does not tell."""
    total, available = memory()
    return total if available is None else available


def return_freed_memory() -> None:
    """Gives the system back what was freed; GNU's C library keeps some of large arrays, too."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _control_groups(system: Path) -> list[Path]:
    root = system / "sys/fs/cgroup"
    line = _read(system / "proc/self/cgroup").partition("\n")[0]
    name = line.removeprefix("0::").strip("/") if line.startswith("0::") else ""
    group = root / name
    return [group, *group.parents][: len(group.relative_to(root).parts) + 1]


def _read(path: Path) -> str:
    """Reads the text of a system file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
