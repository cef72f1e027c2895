"""What this process may use of the machine: cores, memory, disk. Loads nothing.

A container's limits are those of its control group (cgroup), version 2 or 1, on Linux.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = Path("/")
_UNLIMITED = 1 << 60
"""Version 1 of control groups writes "no limit" as a number beyond any memory."""


@dataclass(frozen=True)
class Cores:
    """``present`` in the machine, ``allowed`` for this process, and ``quota`` of time on them."""

    present: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> int:
        """How many threads can run at the same time, on average; at least one."""
        return max(1, round(min(self.allowed, self.quota or self.allowed)))


@dataclass(frozen=True)
class Memory:
    """Bytes; None where the system does not say."""

    total: int | None
    available: int | None


@dataclass(frozen=True)
class Disk:
    """Where a folder would be made: the nearest one above it that exists, and its free bytes."""

    folder: Path
    free: int | None
    problem: str
    """Why no file can be made there; empty where one can."""


def cores(system: Path = _SYSTEM) -> Cores:
    """The processor cores; ``system`` is where the system's own files begin."""
    present = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return Cores(present, len(affinity(0)) if affinity else present, _quota(system))


def _quota(system: Path) -> float | None:
    """Cores' worth of time that the control group may use."""
    quota, _, period = _text(system / "sys/fs/cgroup/cpu.max").partition(" ")
    if not period:
        quota = _text(system / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _text(system / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if not (quota.isdecimal() and period.isdecimal() and int(period) > 0):
        return None  # "max" and -1: no limit
    return int(quota) / int(period)


def memory(system: Path = _SYSTEM) -> Memory:
    """Memory of the machine, or of the container where that is less."""
    fields = dict(
        line.split(":", 1) for line in _text(system / "proc/meminfo").splitlines() if ":" in line
    )
    total, available = (_kibibytes(fields.get(key, "")) for key in ("MemTotal", "MemAvailable"))
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit, used = (_text(system / "sys/fs/cgroup" / each) for each in (limit_file, used_file))
        if limit.isdecimal() and int(limit) < min(total or _UNLIMITED, _UNLIMITED):
            total = int(limit)
            if used.isdecimal():
                left = max(0, total - int(used))
                available = left if available is None else min(available, left)
    return Memory(total, available)


def _kibibytes(text: str) -> int | None:
    number = text.removesuffix("kB").strip()
    return int(number) * 1024 if number.isdecimal() else None


def disk(folder: Path) -> Disk:
    """The disk on which ``folder`` is or would be, and whether files can be made on it."""
    folder = folder.absolute()
    nearest = next((each for each in (folder, *folder.parents) if each.is_dir()), folder)
    try:
        free = shutil.disk_usage(nearest).free
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        return Disk(nearest, None, error.strerror or str(error))
    return Disk(nearest, free, "")


def _text(path: Path) -> str:
    """What a file of the system says; nothing where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
