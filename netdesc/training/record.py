"""``run.json``: what a run is, how it stands and how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import torch

from netdesc.graph import Graph
from netdesc.kernels.engine import kernel_threads
from netdesc.training.errors import ResumeError
from netdesc.training.run_directory import write_text

_NEEDED = {"status", "message", "lock_sha256", "engine", "device", "versions", "resumed"}
_NEEDED |= {"epochs_done", "layers", "best", "final"}
_PACKAGES = ("netdesc", "torch", "numpy", "numba", "safetensors")


class Record:
    """The fields of ``run.json``; ``update`` writes them all anew.

    ``status`` is ``running``, ``done``, ``diverged``, ``interrupted`` or ``failed``. A run that
    was killed stays ``running``, and ``pid`` is then the id of no process, or of another.
    """

    def __init__(self, path: Path, fields: dict[str, Any]) -> None:
        self._path = path
        self.fields: dict[str, Any] = fields

    @classmethod
    def new(
        cls, path: Path, graph: Graph, engine: str, lock_sha256: str, conditions: dict[str, Any]
    ) -> Record:
        """The record of a run that starts now; not written yet."""
        fields = {
            "name": graph.name,
            "status": "running",
            "message": None,
            "started": now(),
            "ended": None,
            "resumed": [],
            "lock_sha256": lock_sha256,
            "engine": engine,
            **conditions,
            "parameters": graph.parameters,
            "synapses": graph.synapses,
            "epochs_done": 0,
            "seconds": 0.0,
            "stopped_early": False,
            "layers": [],
            "best": None,
            "final": None,
        }
        return cls(path, fields)

    @classmethod
    def read(cls, path: Path) -> Record:
        """The record of an existing run. ResumeError where it is missing or damaged."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResumeError(f"{path}: cannot read the record of this run: {error}") from error
        missing = _NEEDED - fields.keys() if isinstance(fields, dict) else _NEEDED
        if missing:
            raise ResumeError(f"{path}: is no complete record of a run: {min(missing)} is missing")
        return cls(path, fields)

    @property
    def text(self) -> str:
        """The file's text."""
        return json.dumps(self.fields, indent=2, allow_nan=False) + "\n"

    def begin_again(self, engine: str, conditions: dict[str, Any]) -> None:
        """Notes that the run goes on. StorageError."""
        fields = self.fields
        for name in ("command", "directory"):
            fields.setdefault(f"first_{name}", fields.get(name))
        fields["resumed"].append({"at": now(), "epochs_done": fields["epochs_done"]})
        self.update(**conditions, engine=engine, status="running", message=None, ended=None)

    def update(self, **fields: Any) -> None:
        """Changes fields and writes the file atomically. StorageError."""
        self.fields |= fields
        write_text(self._path, self.text)

    @property
    def device(self) -> str:
        """The type of device that the run was on."""
        return self.fields["device"]["type"]

    @property
    def engine(self) -> str:
        """The engine that was asked for, by name or ``auto``."""
        return self.fields["engine"]


def circumstances(device: torch.device) -> dict[str, Any]:
    """What a run depends on besides its document: command, versions, machine."""
    is_gpu = device.type == "cuda"
    name = platform.processor() or platform.machine()
    try:
        directory = os.getcwd()
    except OSError:  # the folder is gone
        directory = ""
    return {
        "command": command(sys.argv, sys.orig_argv),
        "directory": directory,
        "pid": os.getpid(),
        "versions": versions(is_gpu),
        "platform": platform.platform(),
        "device": {
            "type": device.type,
            "name": torch.cuda.get_device_name(device) if is_gpu else name,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": kernel_threads(),
        },
    }


def command(given: Sequence[str], whole: Sequence[str]) -> str:
    """What was typed, for a shell. ``given`` is the program with its arguments, ``whole`` with the
    interpreter before it: netdesc itself goes by its name, wherever it is installed."""
    program = PurePath(given[0]) if given else PurePath()
    is_netdesc = program.name in ("netdesc", "netdesc.exe") or (
        program.name == "__main__.py" and program.parent.name == "netdesc"
    )
    return shlex.join(["netdesc", *given[1:]] if is_netdesc else whole)


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """In words, what differs between two circumstances that the bits of a run may depend on."""
    for part, words in {"versions": "the version of ", "device": "the device's "}.items():
        old, new = before.get(part, {}), after[part]
        for key in sorted(old.keys() & new.keys()):
            if old[key] != new[key]:
                yield f"{words}{key} was {old[key]} and is now {new[key]}"


def versions(with_gpu: bool = False) -> dict[str, str]:
    """The versions of Python and of all that the bits of a run may depend on."""
    found = {"python": platform.python_version()}
    if with_gpu:
        found["cuda"] = str(torch.version.cuda)
    for package in (*_PACKAGES, *(["triton"] if with_gpu else [])):
        with contextlib.suppress(PackageNotFoundError):  # run from a tree without installing
            found[package] = version(package)
    return found


def now() -> str:
    """The present moment with its offset from UTC, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
