"""Keeps a second process out of a run's folder, also on another machine.

The process that trains locks the file ``.lock``, which names it, and touches the file ``alive``. On
one machine the lock decides: the system releases it when the process ends, however it ends. Network
file systems may have no locks, or locks that other machines do not see, so between machines the age
of ``alive`` decides. A thread of the process touches this file, also while kernels are compiled,
and ends with the process. To find the age, another file is written, and the times of both files are
compared. Both are the file server's, so the clocks of the machines do not matter.
"""

import contextlib
import os
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from netdesc.atomic_write import is_temporary, remove_abandoned
from netdesc.description.diagnostics.wording import escape
from netdesc.description.source import LOCK
from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import CHECKPOINTS, DOCUMENT, RECORD, open_regular, write_file

PROCESS_LOCK = ".lock"
ALIVE = "alive"
TOUCHED_EVERY_S = 30.0
DEAD_AFTER_S = 300.0
"""Age of ``alive`` from which a process on another machine counts as dead."""

JOB_VARIABLES = (
    "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT",
    "JOB_COMPLETION_INDEX", "SKYPILOT_TASK_ID", "RAY_JOB_ID", "TORCHELASTIC_RUN_ID",
)  # fmt: skip
"""Variables by which schedulers name a job (Slurm, Kubernetes, SkyPilot, Ray, torchrun)."""

_POLLED_EVERY_S = 3.0
_MAX_BYTES = 1 << 16


class Worker(BaseModel):
    """The process that trains a run: its id, its machine and its job, as in ``RunRecord``."""

    model_config = ConfigDict(strict=True)

    pid: int = 0
    host: str = ""
    boot: str = ""
    ranks: int = 1
    job: dict[str, str] = {}

    @classmethod
    def here(cls, ranks: int = 1) -> "Worker":
        """Returns this process."""
        boot = ""
        with contextlib.suppress(OSError):  # only Linux has this file
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        job = {name: os.environ[name][:200] for name in JOB_VARIABLES if os.environ.get(name)}
        return cls(pid=os.getpid(), host=platform.node(), boot=boot, ranks=ranks, job=job)

    @classmethod
    def of(cls, file: int) -> "Worker":
        """Reads the content of ``.lock``; an older netdesc wrote the process id alone."""
        os.lseek(file, 0, os.SEEK_SET)
        text = os.read(file, _MAX_BYTES).decode(errors="replace")
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return cls(pid=int(text)) if text.strip().isdecimal() else cls()

    def is_on(self, other: "Worker") -> bool:
        """Whether both are on one machine, which has not been restarted in between.

        Containers on one machine have the same ``boot`` but different hosts. Pods of a Kubernetes
        job that replace each other on different machines may have the same host.
        """
        return self.boot == other.boot if self.boot else self.host in ("", other.host)

    @property
    def text(self) -> str:
        host = f" on host {self.host}" if self.host else ""
        job = "".join(f", {name}={value}" for name, value in self.job.items())
        return escape(f"process {self.pid or 'unknown'}{host}{job}")


@contextlib.contextmanager
def create(path: Path, document: str, record: str, lock: str, ranks: int = 1) -> Iterator[None]:
    """Creates a run's folder, and keeps other processes out of it during the block.

    Writes ``network.json`` (``document``), ``run.json`` (``record``) and, last,
    ``network.lock.json`` (``lock``: the document with all defaults). If ``network.lock.json``
    exists, the run can be resumed. If a run was killed before it wrote this file, the folder counts
    as empty. Raises RunError if the folder is not empty or is in use, StorageError if it cannot be
    written.
    """
    if os.path.exists(path) and not path.is_dir():
        raise RunError(f"{path} is a file; a run needs a folder of its own", exit_code=2)
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
    _refuse_contents(path)
    with lock_folder(path, ranks):
        _refuse_contents(path)
        remove_abandoned(path)
        for name, text in ((DOCUMENT, document), (RECORD, record), (LOCK, lock)):
            write_file(path / name, text.encode())
        with storing(path / CHECKPOINTS):
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        yield


def _refuse_contents(path: Path) -> None:
    with storing(path):
        names = {child.name for child in path.iterdir() if not is_temporary(child.name)}
    if names and not (PROCESS_LOCK in names <= {PROCESS_LOCK, ALIVE, DOCUMENT, RECORD}):
        hint = " (netdesc train --resume continues a run)" if LOCK in names else ""
        raise RunError(f"{path} is not empty; a run is never overwritten{hint}", exit_code=2)


@contextlib.contextmanager
def reopen(path: Path, ranks: int = 1, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Locks the folder of an existing run for the block, and deletes temporary files.

    Killed processes may leave temporary files. ``wait`` and errors are those of ``lock_folder``.
    """
    with lock_folder(path, ranks, wait):
        with storing(path / CHECKPOINTS):
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        for folder in (path, path / CHECKPOINTS):
            remove_abandoned(folder)
        yield


@contextlib.contextmanager
def lock_folder(
    path: Path, ranks: int = 1, wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Keeps other processes out of the folder for the ``with`` block.

    Raises RunError if another process is at work there. If this process is killed, others on its
    machine can take over at once, those on other machines after ``DEAD_AFTER_S``. With ``wait``, if
    only ``alive`` shows another process, calls ``wait`` with a message and waits for that time, or
    until the file is touched again.
    """
    with storing(path / PROCESS_LOCK):
        file = open_regular(path / PROCESS_LOCK, os.O_RDWR | os.O_CREAT)
    try:
        tries = 10
        while (is_locked := try_lock(file)) is False and tries:
            time.sleep(0.05)  # another process may ask at this moment whether one is at work
            tries -= 1
        worker = Worker.of(file)
        touched = _touched(path / ALIVE)
        if wait is not None and is_locked is not False and _is_busy(path, worker, is_locked):
            wait(f"{_refusal(path, worker, is_locked)}; waiting")
            while _is_busy(path, worker, is_locked) and _touched(path / ALIVE) == touched:
                time.sleep(_POLLED_EVERY_S)
        if _is_busy(path, worker, is_locked):
            raise RunError(_refusal(path, worker, is_locked), exit_code=2)
        with storing(path / ALIVE):
            _take_over(path / ALIVE, touched)
        with storing(path / PROCESS_LOCK):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)  # Windows has no pwrite
            os.write(file, Worker.here(ranks).model_dump_json().encode() + b"\n")
        with _touching(path / ALIVE):
            yield
    finally:
        os.close(file)


def _take_over(alive: Path, touched: float | None) -> None:
    """Replaces the file ``alive`` of a dead process, which has last ``touched`` it at this time.
    RunError if a process on another machine took over first. Renaming and creating are atomic."""
    old = alive.with_name(f".{ALIVE}.{secrets.token_hex(6)}")
    is_dead = True
    if touched is not None:
        with contextlib.suppress(FileNotFoundError):
            os.replace(alive, old)
            is_dead = _touched(old) == touched
            os.unlink(old) if is_dead else os.replace(old, alive)
    try:
        os.close(os.open(alive, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        is_dead = False
    if not is_dead:
        raise RunError(
            f"{alive.parent} is in use: another process has just begun; name another folder",
            exit_code=2,
        )


@contextlib.contextmanager
def _touching(alive: Path) -> Iterator[None]:
    """Touches the file while the block runs, and then deletes it."""
    alive, ended = alive.absolute(), threading.Event()

    def touch() -> None:
        while not ended.wait(TOUCHED_EVERY_S):
            with contextlib.suppress(OSError):  # the folder may have been moved
                os.utime(alive)

    thread = threading.Thread(target=touch, name="netdesc-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            alive.unlink()


def is_at_work(run: Path) -> bool | None:
    """Whether a process trains in the folder; None if its ``.lock`` cannot be read."""
    try:
        with open(run / PROCESS_LOCK, "rb", opener=open_regular) as file:
            is_locked = try_lock(file.fileno(), shared=True)
            return _is_busy(run, Worker.of(file.fileno()), is_locked)
    except FileNotFoundError:  # as in a copy of the folder
        return False
    except (OSError, RunError):
        return None


def _is_busy(path: Path, worker: Worker, is_locked: bool | None) -> bool:
    """Whether ``worker``, the last process in the folder, is at work. ``is_locked`` says whether
    this process could lock ``.lock``; None without locks."""
    if is_locked is False:
        return True
    if is_locked and worker.is_on(Worker.here()):
        return False
    return _age_s(path) < DEAD_AFTER_S


def _refusal(path: Path, worker: Worker, is_locked: bool | None) -> str:
    text = f"{path} is in use by another process ({worker.text})"
    if is_locked is False:
        return f"{text}; wait for its end, or name another folder"
    age = _age_s(path)
    return (
        f"{text}, which touched {ALIVE} {max(0, round(age))} s ago; name another folder or, if "
        f"that process is dead, try again in {max(1, round(DEAD_AFTER_S - age))} s"
    )


def _touched(path: Path) -> float | None:
    """Returns when a file was last touched, by the file server's clock; None if it is missing."""
    try:
        with open(path, "rb", opener=open_regular) as file:  # opening asks the file server
            return os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _age_s(path: Path) -> float:
    """Returns how long ago ``alive`` was touched, by the file server's clock."""
    touched = _touched(path / ALIVE)
    if touched is None:
        return float("inf")
    now, clock = time.time(), path / f".{ALIVE}.{secrets.token_hex(6)}"
    with contextlib.suppress(OSError):  # the folder may be read-only, as another user's
        try:
            clock.write_bytes(b"\n")
            now = clock.stat().st_mtime
        finally:
            clock.unlink(missing_ok=True)
    return now - touched


if sys.platform == "win32":
    import msvcrt

    def try_lock(file: int, shared: bool = False) -> bool | None:
        """Locks the file; returns whether it could, None if it cannot be known."""
        if shared:  # Windows has exclusive locks only
            return None
        os.lseek(file, 1 << 20, os.SEEK_SET)  # after the text, so that others can read the text
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(file: int, shared: bool = False) -> bool | None:
        """Locks the file; returns whether it could, None if its file system has no locks."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
