"""``run.json``: what a run is, how it stands and how it ended."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from netdesc.graph import Graph
from netdesc.training.errors import ResumeError
from netdesc.training.run_directory import write_text

_PACKAGES = ("netdesc", "torch", "numpy", "numba", "safetensors")


class Record:
    """The fields of ``run.json``; ``update`` writes them all anew.

    ``status`` is ``running``, ``done``, ``diverged``, ``interrupted`` or ``failed``. A run that
    was killed stays ``running``, and ``pid`` is then the id of no process, or of another.
    """

    def __init__(self, path: Path, fields: dict[str, Any]) -> None:
        self._path = path
        self.fields: dict[str, Any] = fields
        self.is_new = False

    @classmethod
    def new(cls, path: Path, graph: Graph, engine: str, lock_sha256: str) -> Record:
        """The record of a run that starts now; not written yet."""
        record = cls(path, {})
        record.complete(graph, engine, lock_sha256)
        record.is_new = True
        return record

    @classmethod
    def read(cls, path: Path) -> Record:
        """The record of an existing run; an empty one where the run was killed before it."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            fields = {}
        except (OSError, ValueError) as error:
            raise ResumeError(f"{path}: cannot be read: {error}") from error
        if not isinstance(fields, dict):
            raise ResumeError(f"{path}: is not the record of a run")
        return cls(path, fields)

    def complete(self, graph: Graph, engine: str, lock_sha256: str) -> None:
        """Fills in what is known before training, where it is not there."""
        fresh: dict[str, Any] = {
            "name": graph.name,
            "status": "running",
            "message": None,
            "started": now(),
            "ended": None,
            "resumed": [],
            "lock_sha256": lock_sha256,
            "parameters": graph.parameters,
            "synapses": graph.synapses,
            "epochs_done": 0,
            "seconds": 0.0,
            "stopped_early": False,
            "layers": [],
            "best": None,
            "final": None,
        }
        self.fields = fresh | self.fields | {"engine": engine}

    def begin(self, conditions: dict[str, Any]) -> None:
        """Notes that the run is under way, for the first time or again. StorageError."""
        if not self.is_new:
            again = {"at": now(), "epochs_done": self.fields["epochs_done"]}
            self.fields["resumed"] = [*self.fields["resumed"], again]
        self.update(**conditions, status="running", message=None, ended=None)

    def update(self, **fields: Any) -> None:
        """Changes fields and writes the file atomically. StorageError."""
        self.fields |= fields
        write_text(self._path, json.dumps(self.fields, indent=2, allow_nan=False) + "\n")

    @property
    def device(self) -> str:
        """The type of device that the run was on."""
        return self.fields.get("device", {}).get("type", "auto")

    @property
    def engine(self) -> str:
        """The engine that was asked for, by name or ``auto``."""
        return self.fields.get("engine", "auto")


def circumstances(device: torch.device) -> dict[str, Any]:
    """What a run depends on besides its document: command, versions, machine."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = platform.processor() or platform.machine()
    return {
        "command": shlex.join(sys.orig_argv),
        "pid": os.getpid(),
        "versions": {"python": platform.python_version(), **_versions()},
        "platform": platform.platform(),
        "device": {"type": device.type, "name": name, "threads": torch.get_num_threads()},
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """In words, what differs between two circumstances that the bits of a run may depend on."""
    for part in ("versions", "device"):
        old, new = before.get(part, {}), after[part]
        for key in sorted(old.keys() & new.keys()):
            if old[key] != new[key]:
                what = f"the version of {key}" if part == "versions" else f"the device's {key}"
                yield f"{what} was {old[key]} and is now {new[key]}"


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a source tree without installing
            continue
    return found


def now() -> str:
    """The present moment with its offset from UTC, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
