"""Writes ``run.json``: the environment of a run, its status and its results."""

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

from netdesc.atomic_write import failure_reason
from netdesc.graph import Graph
from netdesc.kernels.engine import kernel_threads
from netdesc.runs.state import restart_hint
from netdesc.training.errors import ResumeError
from netdesc.training.run_directory import write_file

_FIELD_TYPES: dict[str, Any] = {
    "status": str,
    "message": str | None,
    "lock_sha256": str,
    "engine": str,
    "device": dict,
    "versions": dict,
    "resumed": list,
    "epochs_done": int,
    "layers": list,
    "best": dict | None,
    "final": dict | None,
}
"""The types of the fields that are needed to resume a run."""

_PACKAGES = ("netdesc", "torch", "numpy", "numba", "safetensors")


class RunRecord:
    """The fields of ``run.json``; ``update`` rewrites the file.

    ``status`` is ``running``, ``done``, ``diverged``, ``interrupted`` or ``failed``. If the process
    is killed, the status stays ``running``.
    """

    def __init__(self, path: Path, fields: dict[str, Any]) -> None:
        self._path = path.absolute()  # a callback may change the working directory
        self.fields: dict[str, Any] = fields

    @classmethod
    def create(
        cls, path: Path, graph: Graph, engine: str, lock_sha256: str, environment: dict[str, Any]
    ) -> RunRecord:
        """Returns the record of a run that starts now, without writing the file."""
        fields = {
            "name": graph.name,
            "status": "running",
            "message": None,
            "started": now(),
            "ended": None,
            "resumed": [],
            "lock_sha256": lock_sha256,
            "engine": engine,
            **environment,
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
    def read(cls, path: Path) -> RunRecord:
        """Reads the record of an existing run. Raises ResumeError if it is missing or damaged."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            reason = failure_reason(error) if isinstance(error, OSError) else str(error)
            problem = f"cannot read the record of this run: {reason}"
            raise ResumeError(f"{path}: {problem}; {restart_hint(path.parent)}") from error
        problem = _find_problem(fields)
        if problem is not None:
            problem = f"is no complete record of a run: {problem}"
            raise ResumeError(f"{path}: {problem}; {restart_hint(path.parent)}")
        return cls(path, fields)

    @property
    def text(self) -> str:
        """The record as JSON text."""
        fields = {name: _replace_other_bytes(value) for name, value in self.fields.items()}
        return json.dumps(fields, indent=2, allow_nan=False) + "\n"

    def mark_resumed(self, engine: str, environment: dict[str, Any]) -> None:
        """Records that the run is resumed now. StorageError if ``run.json`` cannot be written."""
        fields = self.fields
        for name in ("command", "directory"):
            fields.setdefault(f"first_{name}", fields.get(name))
        fields["resumed"].append({"at": now(), "epochs_done": fields["epochs_done"]})
        self.update(**environment, engine=engine, status="running", message=None, ended=None)

    def update(self, **fields: Any) -> None:
        """Changes ``fields`` and writes the file atomically. Raises StorageError if this fails."""
        self.fields |= fields
        write_file(self._path, self.text.encode())


def _replace_other_bytes(value: Any) -> Any:
    """Replaces bytes of a path that are not UTF-8 by text such as ``\\udcff``; JSON has none."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _find_problem(fields: Any) -> str | None:
    """Returns why a run cannot be resumed with these fields of ``run.json``, or None."""
    if not isinstance(fields, dict):
        return "it is no object"
    for name, kind in _FIELD_TYPES.items():
        if name not in fields:
            return f"{name} is missing"
        if not isinstance(fields[name], kind):
            return f"{name} is of a wrong type"
    for name in ("best", "final"):
        if fields[name] is not None and not _is_epoch(fields[name]):
            return f"{name} holds no metrics of an epoch"
    samples: Any = fields.get("samples", {})
    if not isinstance(samples, dict) or not all(map(_is_count, samples.values())):
        return "samples holds no numbers of samples"
    return None if isinstance(fields["device"].get("type"), str) else "device.type is missing"


def _is_epoch(metrics: dict[str, Any]) -> bool:
    losses = [metrics[name] for name in ("loss", "validation_loss") if name in metrics]
    return type(metrics.get("epoch")) is int and all(type(loss) is float for loss in losses)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def environment(device: torch.device) -> dict[str, Any]:
    """Returns the command, versions and machine of this process, as fields of ``run.json``."""
    is_gpu = device.type == "cuda"
    name = platform.processor() or platform.machine()
    try:
        directory = os.getcwd()
    except OSError:  # the folder was deleted
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


def command(argv: Sequence[str], orig_argv: Sequence[str]) -> str:
    """Returns the shell command of this process; the path of netdesc's own is left out."""
    program = PurePath(argv[0]) if argv else PurePath()
    is_netdesc = program.name in ("netdesc", "netdesc.exe") or (
        program.name == "__main__.py" and program.parent.name == "netdesc"
    )
    return shlex.join(["netdesc", *argv[1:]] if is_netdesc else orig_argv)


def environment_changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yields a message for each difference of two environments that may change a run's results."""
    for part, words in {"versions": "the version of ", "device": "the device's "}.items():
        old, new = before.get(part, {}), after[part]
        for key in sorted((old.keys() & new.keys()) - {"threads"}):  # which change no bit
            if old[key] != new[key]:
                yield f"{words}{key} was {old[key]} and is now {new[key]}"


def versions(with_gpu: bool = False) -> dict[str, str]:
    """Returns the versions of Python and of the packages that a run's results may depend on."""
    found = {"python": platform.python_version()}
    if with_gpu:
        found["cuda"] = str(torch.version.cuda)
    for package in (*_PACKAGES, *(["triton"] if with_gpu else [])):
        with contextlib.suppress(PackageNotFoundError):  # netdesc may run from a source tree
            found[package] = version(package)
    return found


def now() -> str:
    """Returns the local time as ISO 8601, with seconds and the offset from UTC."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
