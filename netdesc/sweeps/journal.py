"""The journal of a sweep: a file of JSON lines, to which processes on many machines append.

Optuna keeps a study in such a file: each line is an operation. Here, operations are appended in
transactions: under a lock, and with one write, in which all lines but the last say ``"more": true``
(Optuna ignores it, so its other programs can read the file). A process that is killed while it
writes leaves lines without a last one. Readers ignore them, and the next transaction cuts them off.
"""

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import open_regular, open_to_read
from netdesc.runs.process_lock import Worker, try_lock

ABANDONED_AFTER_S = 30.0
"""Time after which the lock of a process on another machine counts as abandoned."""
_PAUSE_S = 0.003


class LockLostError(Exception):
    """Another machine took the lock from this process, which was stopped for a long time."""


class Journal:
    """Reads and appends operations, as a backend of Optuna's JournalStorage.

    Reading needs no lock, and changes nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._logs: list[dict[str, Any]] = []
        self._stored = self._offset = 0  # number and bytes of the operations that are in the file
        self._is_open = False

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """Returns the operations from this number on. RunError for a line that is none."""
        if not self._is_open:
            self._read()
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        assert self._is_open, "a sweep changes in a transaction only"
        self._logs += logs

    @contextlib.contextmanager
    def transaction(self, is_durable: bool = True) -> Iterator[None]:
        """Holds the lock in the block, and then stores the block's operations.

        If not ``is_durable``, they may be lost if the machine fails, but not if processes do.
        If this raises, the file has none of them, and a storage that has applied them must be built
        anew. LockLostError if the lock was lost, StorageError if the file cannot be written.
        """
        with storing(self.path), _lock(self.path) as has_lock:
            self._read()
            if self.path.exists() and (torn := self.path.stat().st_size - self._offset) > 0:
                os.truncate(self.path, self._offset)
                text = "%s: cut off %d bytes of a process that was killed"
                logging.getLogger(__name__).warning(text, self.path, torn)
            self._is_open = True
            try:
                yield
                if len(self._logs) > self._stored:
                    if not has_lock():
                        raise LockLostError
                    self._write(is_durable)
            finally:
                self._is_open = False
                del self._logs[self._stored :]

    def _read(self) -> None:
        if not self.path.exists():
            return
        with open_to_read(self.path) as file:
            file.seek(self._offset)
            logs: list[dict[str, Any]] = []
            offset = self._offset
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    logs.append(json.loads(line))
                    is_last = "more" not in logs[-1]
                except (ValueError, TypeError, RecursionError) as error:
                    raise damaged(f"{self.path}:{len(self._logs) + len(logs) + 1}") from error
                offset += len(line)
                if is_last:
                    self._logs += logs
                    self._stored, self._offset, logs = len(self._logs), offset, []

    def _write(self, is_durable: bool) -> None:
        *others, last = self._logs[self._stored :]
        lines = [*({**log, "more": True} for log in others), last]
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        file = open_regular(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.write(file, content) < len(content):
                os.truncate(self.path, self._offset)
                raise OSError(None, "no space left on the device")
            if is_durable:
                os.fsync(file)
        finally:
            os.close(file)
        self._stored, self._offset = len(self._logs), self._offset + len(content)


def damaged(where: str) -> RunError:
    return RunError(
        f"{where}: is no operation of this version of Optuna; go on with the version that "
        f"sweep.json names, restore the file from a copy, or begin a sweep in another folder"
    )


@contextlib.contextmanager
def _lock(journal: Path) -> Iterator[Callable[[], bool]]:
    """Waits for the lock; yields a function that says whether this process still has it.

    On one machine the system's lock of ``journal.lock`` decides, which ends with its process. Other
    machines may not see it, so its owner also creates ``journal.owner``. If this file stays, its
    owner was killed: one of this machine has no meaning any more, one of another machine counts as
    abandoned after a while.
    """
    path, here, since = journal.with_suffix(".owner"), Worker.here(), time.monotonic()
    here.job = {**here.job, "lock": secrets.token_hex(8)}
    last = Worker()
    file = open_regular(journal.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    try:
        while (is_locked := try_lock(file)) is False:
            time.sleep(_PAUSE_S)
        while True:
            with contextlib.suppress(FileExistsError), open(path, "xb") as new:
                new.write(here.model_dump_json().encode())
                break
            owner = _owner(path)
            last, since = (last, since) if owner == last else (owner, time.monotonic())
            is_dead = is_locked is True and owner.pid > 0 and owner.is_on(here)
            if is_dead or time.monotonic() - since > ABANDONED_AFTER_S:
                path.unlink(missing_ok=True)
            else:
                time.sleep(_PAUSE_S)
        yield lambda: _owner(path) == here
    finally:
        if _owner(path) == here:
            path.unlink(missing_ok=True)
        os.close(file)


def _owner(path: Path) -> Worker:
    try:
        with open(path, "rb", opener=open_regular) as file:
            return Worker.of(file.fileno())
    except FileNotFoundError:
        return Worker()
