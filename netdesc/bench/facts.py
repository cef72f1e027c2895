"""Reads facts that a measurement depends on: processor, cores, system, load by other programs."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from netdesc.kernels.machine import cores

_CPU_INFO = Path("/proc/cpuinfo")
_STATISTICS = Path("/proc/stat")
_IDLE = (3, 4)
"""The columns of unused CPU time in /proc/stat: idle, and idle while waiting for a disk."""
_STOLEN = 7
"""The column of CPU time that the host of a virtual machine gave to other machines."""


def processor(source: Path = _CPU_INFO) -> str:
    """Returns the processor's model name, or its architecture if the model is unknown."""
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def cpu_times(source: Path = _STATISTICS) -> list[int] | None:
    """Reads how much CPU time all processors spent on each kind of work (see proc_stat(5)).

    Returns the first columns of /proc/stat, up to ``_STOLEN``, or None on systems other than Linux.
    """
    try:
        kind, *numbers = source.read_text(encoding="ascii").partition("\n")[0].split()
        times = [int(number) for number in numbers[: _STOLEN + 1]]
    except (OSError, ValueError):
        return None
    return times if kind == "cpu" and len(times) > _STOLEN else None


def shares_since(
    before: list[int] | None, source: Path = _STATISTICS
) -> tuple[float | None, float | None]:
    """Returns the shares of CPU time that were used and stolen since ``before``, if they are known.

    ``before`` is an earlier result of ``cpu_times``.
    """
    after = cpu_times(source)
    if before is None or after is None:
        return None, None
    spent = [max(0, new - old) for old, new in zip(before, after, strict=True)]
    total = sum(spent)
    if not total:
        return None, None
    return 1 - sum(spent[column] for column in _IDLE) / total, spent[_STOLEN] / total


def machine() -> dict[str, object]:
    """Returns processor, cores that this process may use, system, and load by other programs.

    Must be called before a measurement, because it sleeps 0.4 s to measure the load.
    """
    before = cpu_times()
    time.sleep(0.4)
    busy, _ = shares_since(before)
    return {
        "cpu": processor(),
        "cores": cores().usable,
        "system": platform.platform(),
        "busy_before": busy,
    }
