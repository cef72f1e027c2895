"""Creates and locks the folders of runs.

A folder is never overwritten. Only one process at a time can use it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from netdesc.atomic_write import atomic_path, is_temporary, remove_abandoned
from netdesc.runs.files import (
    CHECKPOINTS,
    DOCUMENT,
    LOCK,
    LOG,
    METRICS,
    NAMES,
    PROCESS_LOCK,
    RECORD,
    no_run,
    refuse_linked_folder,
    refuse_links,
    run_folders,
    run_paths,
)
from netdesc.training.errors import MissingRunError, ResumeError, RunDirectoryError, storing


def default_path(name: str) -> Path:
    """Returns a new relative path ``runs/<name>/<YYYYmmdd-HHMMSS-xxxx>`` (x: random hex digit)."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = Path("runs") / name / f"{stamp}-{secrets.token_hex(2)}"
        if not path.exists():  # as it may, if a hundred runs start in one second
            return path


@contextlib.contextmanager
def create(path: Path, document: str, record: str, lock: str) -> Iterator[None]:
    """Creates a run's folder, and keeps other processes out of it during the block.

    Writes ``network.json`` (``document``), ``run.json`` (``record``) and, last,
    ``network.lock.json`` (``lock``: the document with all defaults). If ``network.lock.json``
    exists, the run can be resumed. If a run was killed before it wrote this file, the folder counts
    as empty. Raises RunDirectoryError if the folder is not empty or is in use, LinkError if a
    symbolic link has the name of a file of a run, StorageError if the folder cannot be written.
    """
    if os.path.exists(path) and not path.is_dir():
        raise RunDirectoryError(f"{path} is a file; a run needs a folder of its own")
    if "\0" in str(path):
        raise RunDirectoryError(f"{str(path)!r} is no path, because it holds a NUL character")
    for folder in (path, *path.parents):
        if os.path.islink(folder) and not folder.exists():
            raise RunDirectoryError(
                f"{folder} is a link that leads to no folder; delete it, or name another folder"
            )
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
    _refuse_contents(path)
    refuse_links(path)
    with lock_folder(path):
        _refuse_contents(path)
        remove_temporary_files(path)
        for name, text in ((DOCUMENT, document), (RECORD, record), (LOCK, lock)):
            write_file(path / name, text.encode())
        with storing(path / CHECKPOINTS):
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        yield


def _refuse_contents(path: Path) -> None:
    with storing(path):
        names = {child.name for child in path.iterdir() if not is_temporary(child.name)}
    if names and not (PROCESS_LOCK in names and names <= {PROCESS_LOCK, DOCUMENT, RECORD}):
        hint = " (netdesc train --resume continues a run)" if LOCK in names else ""
        raise RunDirectoryError(f"{path} is not empty; a run is never overwritten{hint}")


def require_run(path: Path) -> None:
    """Raises MissingRunError unless the folder holds a run that can be resumed.

    Raises LinkError if it holds symbolic links, ResumeError if a pipe or a device has the name of a
    file of the run, because opening it may wait for ever.
    """
    if not os.path.isdir(path):  # False, too, for a name that the system refuses
        raise MissingRunError(no_run(path))
    refuse_links(path)
    for file in run_paths(path):
        if file.exists() and not file.is_file():
            raise ResumeError(f"{file} is not a regular file, so this run cannot be continued")
    if not (path / LOCK).is_file():
        raise MissingRunError(
            f"{path} holds no run that can be continued: there is no {LOCK} in it"
        )


@contextlib.contextmanager
def reopen(path: Path) -> Iterator[None]:
    """Locks the folder of an existing run for the block, and deletes temporary files.

    Killed processes may leave temporary files. If files that are written in place have hard links,
    such as those of a backup by ``cp -al``, copies replace them, so that the backup stays as it is.
    Raises RunDirectoryError if another process has locked the folder.
    """
    with lock_folder(path):
        for file in (path / METRICS, path / LOG):
            with storing(file):
                is_linked = file.exists() and file.stat().st_nlink > 1
            if is_linked:
                write_file(file, file.read_bytes())
        with storing(path / CHECKPOINTS):
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        remove_temporary_files(path)
        yield


def remove_temporary_files(path: Path) -> None:
    """Deletes the temporary files of a run that killed processes have left."""
    remove_abandoned(run_folders(path), NAMES)


def open_without_links(path: str | Path, flags: int) -> int:
    """Opens a file that is written in place, as an ``opener`` of ``open``.

    Raises OSError if the file is a symbolic link, or a pipe that no process reads.
    """
    # Without O_NONBLOCK, opening a pipe may wait for ever. Windows has neither flag.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Locks the folder for the ``with`` block. If the process is killed, the system unlocks it.

    Raises RunDirectoryError if another process has locked the folder.
    """
    while True:
        with storing(path / PROCESS_LOCK):
            file = open_without_links(path / PROCESS_LOCK, os.O_RDWR | os.O_CREAT)
        try:
            if not _try_lock(file):
                os.lseek(file, 0, os.SEEK_SET)
                holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
                raise RunDirectoryError(f"{path} is in use by another process (its id: {holder})")
            with storing(path / PROCESS_LOCK):
                if not _owns_file(file, path / PROCESS_LOCK):
                    continue
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)  # Windows has no pwrite
                os.write(file, f"{os.getpid()}\n".encode())
            yield
            return
        finally:
            os.close(file)


def _owns_file(file: int, path: Path) -> bool:
    """Whether the locked ``file`` is the one at ``path`` and has no hard links.

    Deletes the name ``path`` of a file with hard links, because they may belong to a backup, which
    must not change. False, too, if another process has just done so. An OSError is passed on.
    """
    held = os.fstat(file)
    if sys.platform == "win32":  # an open file cannot be deleted there
        return True
    try:
        if not os.path.samestat(held, path.lstat()):
            return False
    except FileNotFoundError:
        return False
    if held.st_nlink > 1:
        path.unlink()
        return False
    return True


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
        except OSError:  # some network file systems have no locks
            return True
        return True


def write_file(path: Path, content: bytes) -> None:
    """Writes a file of a run atomically, never through a link.

    StorageError if that fails, LinkError if a link has replaced the folder of checkpoints.
    """
    refuse_linked_folder(path)
    with storing(path), atomic_path(path, follow_links=False) as temporary:
        temporary.write_bytes(content)
