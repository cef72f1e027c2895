"""Creates and locks the folders of runs.

A folder is never overwritten. Only one process at a time can use it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from netdesc.events import atomic_path
from netdesc.runs.files import CHECKPOINTS, DOCUMENT, LOCK, PROCESS_LOCK, RECORD, no_run
from netdesc.training.errors import MissingRunError, RunDirectoryError, storing

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{12}(\.\w+)?")


def default_path(name: str) -> Path:
    """Returns a new relative path ``runs/<name>/<YYYYmmdd-HHMMSS-xxxx>`` (x: random hex digit)."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / name / f"{stamp}-{secrets.token_hex(2)}"


@contextlib.contextmanager
def create(path: Path, document: str, record: str, lock: str) -> Iterator[None]:
    """Creates a run's folder, and keeps other processes out of it during the block.

    Writes ``network.json`` (``document``), ``run.json`` (``record``) and, last,
    ``network.lock.json`` (``lock``: the document with all defaults). If ``network.lock.json``
    exists, the run can be resumed. If a run was killed before it wrote this file, the folder counts
    as empty. Raises RunDirectoryError if the folder is not empty or is in use, StorageError if it
    cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise RunDirectoryError(f"{path} is a file; a run needs a folder of its own")
    _refuse_contents(path)
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
    with lock_folder(path):
        _refuse_contents(path)
        for name, text in ((DOCUMENT, document), (RECORD, record), (LOCK, lock)):
            write_text(path / name, text)
        with storing(path / CHECKPOINTS):
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        yield


def _refuse_contents(path: Path) -> None:
    if not path.is_dir():
        return
    with storing(path):
        names = {child.name for child in path.iterdir() if not _TEMPORARY.fullmatch(child.name)}
    if names and not (PROCESS_LOCK in names and names <= {PROCESS_LOCK, DOCUMENT, RECORD}):
        hint = " (netdesc train --resume continues a run)" if LOCK in names else ""
        raise RunDirectoryError(f"{path} is not empty; a run is never overwritten{hint}")


def require_run(path: Path) -> None:
    """Raises MissingRunError unless the folder holds a run that can be resumed."""
    if not path.is_dir():
        raise MissingRunError(no_run(path))
    if not (path / LOCK).is_file():
        raise MissingRunError(
            f"{path} holds no run that can be continued: there is no {LOCK} in it"
        )


@contextlib.contextmanager
def reopen(path: Path) -> Iterator[None]:
    """Locks the folder of an existing run for the block, and deletes temporary files.

    A killed process may leave temporary files. Raises RunDirectoryError if another process has
    locked the folder.
    """
    with lock_folder(path):
        for folder in (path, path / CHECKPOINTS):
            with storing(folder):
                folder.mkdir(exist_ok=True)
                for child in folder.iterdir():
                    if _TEMPORARY.fullmatch(child.name):
                        child.unlink()
        yield


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Locks the folder for the ``with`` block. If the process is killed, the system unlocks it.

    Raises RunDirectoryError if another process has locked the folder.
    """
    with storing(path / PROCESS_LOCK):
        file = os.open(path / PROCESS_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _try_lock(file):
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            raise RunDirectoryError(f"{path} is in use by another process (its id: {holder})")
        with storing(path / PROCESS_LOCK):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, 1 << 20, os.SEEK_SET)  # after the text, so that others can read the text
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, in UTF-8. Raises StorageError if it cannot be written."""
    with storing(path), atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
