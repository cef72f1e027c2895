"""The files of a run that grow: one line an epoch, and the log."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from netdesc.training.errors import storing

_MOST_WAITING = 128
"""Rows. The thousands that come while a person sees one line would take as much memory as all else
that a small network needs."""


class Metrics:
    """``metrics.jsonl``: one object an epoch, collected in memory and written at intervals.

    A row becomes text when it is written: many at a time take a fraction of what single ones take
    between kernels, which leave nothing of Python's in the caches.

    Opening cuts the file to ``length`` bytes, those that the checkpoint vouches for. ``is_short``
    says that it holds fewer; then it goes on after its last whole line.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._waiting: list[dict[str, Any]] = []
        with storing(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            size = os.fstat(self._file).st_size
            self.is_short = size < length
            if self.is_short:
                length = os.pread(self._file, size, 0).rfind(b"\n") + 1
            os.ftruncate(self._file, length)
        self._length = length

    def append(self, row: dict[str, Any]) -> None:
        """The next line; the row must not be changed any more. StorageError."""
        self._waiting.append(row)
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Hands the lines to the operating system."""
        if not self._waiting:
            return
        text = "".join(json.dumps(row) + "\n" for row in self._waiting).encode()
        with storing(self._path):
            written = 0
            while written < len(text):
                written += os.pwrite(self._file, text[written:], self._length + written)
        self._length += len(text)
        self._waiting.clear()

    def sync(self) -> int:
        """Puts the lines on the disk and returns the file's length in bytes."""
        self.flush()
        with storing(self._path):
            os.fsync(self._file)
        return self._length

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class Log:
    """``train.log``: what was said to the user, with the time, and what was worth no screen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def write(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{stamp}  {line}\n" for line in text.splitlines())
        with storing(self._path):
            os.write(self._file, lines.encode())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
