"""Names of the files in a run's folder."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = "network.json"
"""The document as the user wrote it."""
LOCK = "network.lock.json"
"""The document with every default, its origin, and the SHA-256 of every data file."""
RECORD = "run.json"
"""The status of the run and its results."""
METRICS = "metrics.jsonl"
"""One JSON object an epoch."""
LOG = "train.log"
NETWORK = "network.net"
REPORT = "report.html"
ACTIVITY = "activity.npz"
"""Spikes of the network for a few samples during training (see ``training.activity``)."""
CHECKPOINTS = "checkpoints"
INITIAL = "initial.safetensors"
"""In ``CHECKPOINTS``: the weights before the first epoch."""
BEST = "best.safetensors"
LAST = "last.safetensors"
STATE = "last.state"
"""In ``CHECKPOINTS``: one file with all that resuming needs."""
PROCESS_LOCK = ".lock"
"""Locked by the process that trains in the folder; holds its id."""


class NoRunError(ValueError):
    """A folder holds no run."""

    exit_code = 3


def no_run(path: Path) -> str:
    """The message for a ``path`` that is no folder, so no run."""
    if path.is_file():
        return (
            f"{path} is a file; name the folder of a run, such as runs/oxford/20260131-120000-1a2b"
        )
    return f"{path}: there is no such run"


def lock_of(folder: Path) -> Path:
    """The path of the document's lock in a run's folder. NoRunError if it is missing."""
    if not (folder / LOCK).is_file():
        raise NoRunError(f"{folder} is no run: there is no {LOCK} in it")
    return folder / LOCK
