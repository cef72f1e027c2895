"""Names of the files in a run's folder, for whoever writes or reads them."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = "network.json"
"""The document as the user wrote it."""
LOCK = "network.lock.json"
"""The document with every default, what it came from, and the SHA-256 of every data file."""
RECORD = "run.json"
"""How the run stands or ended."""
METRICS = "metrics.jsonl"
"""One object an epoch."""
LOG = "train.log"
NETWORK = "network.net"
REPORT = "report.html"
ACTIVITY = "activity.npz"
"""What the network does with a few samples, and how that changed (see ``training.activity``)."""
CHECKPOINTS = "checkpoints"
INITIAL = "initial.safetensors"
"""In ``CHECKPOINTS``: the weights before the first epoch."""
BEST = "best.safetensors"
LAST = "last.safetensors"
STATE = "last.state"
"""In ``CHECKPOINTS``: all that resuming needs, in one file."""
HOLDER = ".lock"
"""Held by the process that trains in the folder, with its id."""


class NoRunError(ValueError):
    """A folder that should be a run is none."""

    exit_code = 3


def no_run(path: Path) -> str:
    """Why ``path``, which is no folder, is no run."""
    if path.is_file():
        return (
            f"{path} is a file; a run goes by its folder, such as runs/oxford/20260131-120000-1a2b"
        )
    return f"{path}: there is no such run"


def lock_of(folder: Path) -> Path:
    """The lock of a run's folder. NoRunError where there is none."""
    if not (folder / LOCK).is_file():
        raise NoRunError(f"{folder} is no run: there is no {LOCK} in it")
    return folder / LOCK
