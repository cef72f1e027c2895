"""What a figure depends on besides the work: processor, cores, system."""

from __future__ import annotations

import platform
from pathlib import Path

from netdesc.machine import cores

_CPU_INFO = Path("/proc/cpuinfo")


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


def machine() -> dict[str, object]:
    """The machine in words: processor, cores that this process may use, system."""
    return {"cpu": processor(), "cores": cores().usable, "system": platform.platform()}
