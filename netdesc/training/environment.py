"""The environment of a run, which ``run.json`` records: command, versions and machine."""

import functools
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

import torch

from netdesc.kernels.engines import kernel_threads
from netdesc.runs.process_lock import Worker
from netdesc.runs.run_record import RunRecord

_PACKAGES = ("netdesc", "torch", "numpy", "numba", "safetensors")


def environment(device: torch.device, ranks: int = 1) -> dict[str, Any]:
    """Returns command, versions, machine and job of this process, as fields of ``run.json``.

    ``ranks`` is the number of processes that train together.
    """
    is_gpu = device.type == "cuda"
    name = platform.processor() or platform.machine()
    try:
        directory = os.getcwd()
    except OSError:  # the folder was deleted
        directory = ""
    return {
        "command": command(sys.argv, sys.orig_argv),
        "directory": directory,
        **Worker.here(ranks).model_dump(),
        "versions": versions(is_gpu),
        "platform": platform.platform(),
        "device": {
            "type": device.type,
            "name": torch.cuda.get_device_name(device) if is_gpu else name,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": kernel_threads(),
        },
    }


def command(argv: Sequence[str], orig_argv: Sequence[str]) -> str:
    """Returns the shell command of this process; the path of netdesc's own is left out."""
    program = PurePath(argv[0]) if argv else PurePath()
    is_netdesc = program.name in ("netdesc", "netdesc.exe") or (
        program.name == "__main__.py" and program.parent.name == "netdesc"
    )
    return shlex.join(["netdesc", *argv[1:]] if is_netdesc else orig_argv)


def environment_changes(record: RunRecord, after: dict[str, Any]) -> Iterator[str]:
    """Yields a message for each difference from a run's record that may change its results."""
    before = {"versions": record.versions, "device": record.device.model_dump()}
    for part, words in {"versions": "the version of ", "device": "the device's "}.items():
        old, new = before[part], after[part]
        for key in sorted((old.keys() & new.keys()) - {"threads"}):  # which change no bit
            if old[key] != new[key]:
                yield f"{words}{key} was {old[key]} and is now {new[key]}"


def versions(with_gpu: bool = False) -> dict[str, str]:
    """Returns the versions of Python and of the packages that a run's results may depend on."""
    by_package = {"python": platform.python_version()}
    if with_gpu:
        by_package["cuda"] = str(torch.version.cuda)
    packages = (*_PACKAGES, *(["triton"] if with_gpu else []))
    return by_package | {name: text for name in packages if (text := _version(name))}


@functools.cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # netdesc may run from a source tree
        return ""
