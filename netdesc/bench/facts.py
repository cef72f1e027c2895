"""Reads facts that a measurement depends on: processor, cores, system."""

from __future__ import annotations

import platform
from pathlib import Path

from netdesc.kernels.machine import cores

_CPU_INFO = Path("/proc/cpuinfo")


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


def machine() -> dict[str, object]:
    """Returns processor, cores that this process may use, and system."""
    return {"cpu": processor(), "cores": cores().usable, "system": platform.platform()}
