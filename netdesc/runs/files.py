"""The names of the files in a run directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from netdesc.description.source import BEST_WEIGHTS, LOCK

DOCUMENT = "network.json"
"""The document as the user wrote it."""
RECORD = "run.json"
"""The status of the run and its results."""
METRICS = "metrics.jsonl"
"""The metrics: one JSON object for each epoch."""
TENSORBOARD = "tensorboard"
"""The folder of TensorBoard's files, if a run was trained with --tensorboard."""
METRICS_CSV = "metrics.csv"
SLAYER_LOSS, SLAYER_ACCURACY = "loss.txt", "accuracy.txt"
"""The metrics for other tools. ``netdesc report`` writes these three files on request."""
LOG = "train.log"
NETWORK = "network.net"
REPORT = "report.html"
ACTIVITY = "activity.npz"
"""Spikes of the network for a few samples during training (see ``training.activity``)."""
CHECKPOINTS, BEST = BEST_WEIGHTS.split("/")
INITIAL = "initial.safetensors"
"""In ``CHECKPOINTS``: the weights before the first epoch."""
LAST = "last.safetensors"
STATE = "last.state"
"""In ``CHECKPOINTS``: the state of the training, from which a stopped run resumes."""
PROCESS_LOCK = ".lock"
"""The process that trains in the folder locks this file and writes its process id into it."""


_TOP_NAMES = (DOCUMENT, LOCK, RECORD, METRICS, LOG, NETWORK, REPORT, ACTIVITY, PROCESS_LOCK)
_TOP_NAMES += (METRICS_CSV, SLAYER_LOSS, SLAYER_ACCURACY)
_CHECKPOINT_NAMES = (INITIAL, BEST, LAST, STATE)
NAMES = frozenset(_TOP_NAMES + _CHECKPOINT_NAMES)
"""The names of all files of a run, in its folder or in ``CHECKPOINTS``."""


class LinkError(ValueError):
    """A file or a folder of a run is a symbolic link."""

    exit_code = 1


class NoRunError(ValueError):
    """The folder is not a run directory."""

    exit_code = 3


def no_run(path: Path) -> str:
    """Returns the error message for a ``path`` to a run that is a file or does not exist."""
    if os.path.isfile(path):  # False, too, for a name that the system refuses
        return (
            f"{path} is a file; name the folder of a run, such as runs/oxford/20260131-120000-1a2b"
        )
    return f"{path}: there is no such run"


def is_filled(path: Path) -> bool:
    """Whether the file exists and is not empty."""
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def run_folders(folder: Path) -> tuple[Path, Path]:
    """Returns the folders that hold the files of a run."""
    return folder, folder / CHECKPOINTS


def run_paths(folder: Path) -> Iterator[Path]:
    """Yields the paths of all files that a run may have; they need not exist."""
    yield from (folder / name for name in _TOP_NAMES)
    yield from (folder / CHECKPOINTS / name for name in _CHECKPOINT_NAMES)


def refuse_links(folder: Path) -> None:
    """Raises LinkError if a file of a run, or a folder in it, is a symbolic link.

    The folder may come from a stranger, and a link may lead to any file of the user. Links in the
    path to the folder are allowed.
    """
    paths = (folder / CHECKPOINTS, folder / TENSORBOARD, *run_paths(folder))
    links = [path for path in paths if path.is_symlink()]
    if links:
        names = ", ".join(str(path.relative_to(folder)) for path in links)
        raise LinkError(
            f"{folder} holds symbolic links, which may lead to files outside this run: {names}; "
            f"replace each by the file itself, or delete it"
        )


def refuse_linked_folder(file: Path) -> None:
    """Raises LinkError if the folder of ``file`` is a link in place of ``CHECKPOINTS``.

    A link may have replaced that folder after ``refuse_links`` has checked the run.
    """
    if file.name in _CHECKPOINT_NAMES and file.parent.is_symlink():
        refuse_links(file.parent.parent)


def lock_of(folder: Path) -> Path:
    """Returns the path of ``LOCK`` in a run's folder.

    Raises NoRunError if the file is missing, LinkError if the folder holds symbolic links.
    """
    refuse_links(folder)
    if not (folder / LOCK).is_file():
        raise NoRunError(f"{folder} is no run: there is no {LOCK} in it")
    return folder / LOCK
