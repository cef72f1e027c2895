"""The folder of a run: the names of its files, and how its files are opened and written.

A folder is never overwritten, and only one process at a time trains in it (see ``process_lock``).
Files are replaced atomically, and none is read or written through a symbolic link, because the
folder may come from a stranger. Links in the path to the folder are followed.
"""

import contextlib
import os
import secrets
import shlex
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from netdesc.atomic_write import atomic_path, failure_reason
from netdesc.description.source import BEST_WEIGHTS, LOCK
from netdesc.runs.errors import RunError, storing

DOCUMENT = "network.json"
"""The document as the user wrote it; ``LOCK`` is the document with all defaults."""
RECORD = "run.json"
"""The status of the run and its results."""
METRICS = "metrics.jsonl"
"""The metrics: one JSON object for each epoch."""
TENSORBOARD = "tensorboard"
"""The folder of TensorBoard's files, if a run was trained with --log tensorboard."""
METRICS_CSV = "metrics.csv"
SLAYER_LOSS, SLAYER_ACCURACY = "loss.txt", "accuracy.txt"
"""The metrics for other tools. ``netdesc report`` writes these three files on request."""
LOG = "train.log"
NETWORK = "network.net"
REPORT = "report.html"
ACTIVITY = "activity.npz"
"""Spikes of the network for a few samples during training (see ``runs.activity_file``)."""
CHECKPOINTS, BEST = BEST_WEIGHTS.split("/")
INITIAL = "initial.safetensors"
"""In ``CHECKPOINTS``: the weights before the first epoch."""
LAST = "last.safetensors"
STATE = "last.state"
"""In ``CHECKPOINTS``: the state of the training, from which a stopped run resumes."""


def make_default(name: str) -> Path:
    """Makes an empty folder ``runs/<name>/<YYYYmmdd-HHMMSS-xxxxxxxx>`` (x: random hex digit).

    Its path is relative. No other process gets it. StorageError if it cannot be made.
    """
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = Path("runs") / name / f"{stamp}-{secrets.token_hex(4)}"
        with storing(path), contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path


def lock_of(folder: Path) -> Path:
    """Returns the path of ``LOCK`` in a run's folder. RunError if there is no such run."""
    if os.path.isfile(folder):  # False, too, for a name that the system refuses
        way = "name the folder of a run, such as runs/oxford/20260131-120000-1a2b3c4d"
        raise RunError(f"{folder} is a file; {way}", exit_code=3)
    if not os.path.isdir(folder):
        raise RunError(f"{folder}: there is no such run", exit_code=3)
    refuse_link(folder / LOCK)
    if not (folder / LOCK).is_file():
        raise RunError(f"{folder} is no run: there is no {LOCK} in it", exit_code=3)
    return folder / LOCK


def is_filled(path: Path) -> bool:
    """Whether the file exists and is not empty."""
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def restart_hint(run: Path) -> str:
    """Returns the end of a message: how a new run begins with the weights of a damaged one."""
    anew = f"netdesc train {shlex.quote(str(run / LOCK))}"
    for kind, name in (("last", LAST), ("best", BEST)):
        weights = run / CHECKPOINTS / name
        if is_filled(weights):
            way = f"{anew} --set weights.path={shlex.quote(str(weights))}"
            return f"its {kind} weights can begin a new run: {way}"
    return f"its weights are gone, too; a new run begins with: {anew}"


def refuse_link(path: Path) -> None:
    """Raises RunError if a file of a run, or its folder of checkpoints, is a symbolic link."""
    parts = (path.parent, path) if path.parent.name == CHECKPOINTS else (path,)
    for part in parts:
        if part.is_symlink():
            way = "replace it by the file itself, or delete it"
            raise RunError(f"{part} is a symbolic link, which may lead out of this run; {way}")


def open_regular(path: str | Path, flags: int) -> int:
    """Opens a file of a run, as an ``opener`` of ``open``. Raises OSError, or RunError for a link.

    A folder, a pipe or a device is an OSError.
    """
    refuse_link(Path(path))
    # Without O_NONBLOCK, opening a pipe may wait for ever. Windows has neither flag.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(None, "is not a regular file")
    return file


@contextlib.contextmanager
def open_to_read(path: Path) -> Iterator[BinaryIO]:
    """Opens a file of a run for reading. RunError if it is missing or cannot be read."""
    try:
        with open(path, "rb", opener=open_regular) as file:
            yield file
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such file", exit_code=3) from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {failure_reason(error)}") from error


def read_text(path: Path, max_bytes: int) -> str:
    """Reads a text file of a run. RunError if it is not UTF-8 or is longer than ``max_bytes``."""
    with open_to_read(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise RunError(f"{path}: is longer than {max_bytes:,} bytes, the limit for this file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: is not UTF-8 text: {error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Writes a file of a run atomically. StorageError if that fails, RunError for a link."""
    refuse_link(path)
    with storing(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)
