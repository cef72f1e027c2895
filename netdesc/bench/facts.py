"""What a figure depends on besides the work: processor, cores, system, and other programs."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from netdesc.machine import cores

_CPU_INFO = Path("/proc/cpuinfo")
_STATISTICS = Path("/proc/stat")
_IDLE = (3, 4)
"""Columns of processor time that nobody used: idle, and idle while something was read."""
_STOLEN = 7
"""The column of time in which a virtual machine's host gave its processors to others."""


def processor(source: Path = _CPU_INFO) -> str:
    """The processor's model name, or its kind where the system tells no more."""
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def busy_share(source: Path = _STATISTICS, seconds: float = 0.4) -> float | None:
    """Share of the processors' time that others take while this process sleeps; Linux tells it."""
    before = ticks(source)
    if before is None:
        return None
    time.sleep(seconds)
    after = ticks(source)
    if after is None:
        return None
    spent = [new - old for old, new in zip(before, after, strict=True)]
    total = sum(spent)
    if total <= 0:
        return None
    busy = 1.0 - sum(spent[column] for column in _IDLE) / total
    return min(1.0, max(0.0, busy))  # counted waiting may go back


def stolen_share(before: list[int] | None, source: Path = _STATISTICS) -> float | None:
    """Share of the processors' time since ``before`` in which the host gave them to others."""
    after = ticks(source)
    if before is None or after is None or min(len(before), len(after)) <= _STOLEN:
        return None
    spent = [max(0, new - old) for old, new in zip(before, after, strict=True)]
    return spent[_STOLEN] / sum(spent) if any(spent) else None


def ticks(source: Path = _STATISTICS) -> list[int] | None:
    """Time of all processors by what it was used for (see proc_stat(5)), that of guests once."""
    try:
        kind, *numbers = source.read_text(encoding="ascii").partition("\n")[0].split()
        ticks = [int(number) for number in numbers[:8]]
    except (OSError, ValueError):
        return None
    return ticks if kind == "cpu" and len(ticks) > max(_IDLE) else None


def machine() -> dict[str, object]:
    """The machine in words: processor, cores that this process may use, system, how busy it is.

    To be called before anything is measured.
    """
    return {
        "cpu": processor(),
        "cores": cores().usable,
        "system": platform.platform(),
        "busy_before": busy_share(),
    }
