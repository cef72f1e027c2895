"""The files of a run that grow: one line an epoch, and the log."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from netdesc.training.errors import storing


class Metrics:
    """``metrics.jsonl``: one object an epoch, collected in memory and written at intervals.

    Opening cuts the file to ``length`` bytes, those that the checkpoint vouches for. ``is_short``
    says that it holds fewer; then it goes on after its last whole line. Every method raises
    StorageError where the file cannot be written.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        with storing(path):
            self._file = path.open("ab+")
            size = self._file.tell()
            self.is_short = size < length
            if self.is_short:
                self._file.seek(0)
                length = self._file.read().rfind(b"\n") + 1
            self._file.truncate(length)
            self._file.seek(length)

    def append(self, row: dict[str, Any]) -> None:
        """Adds the next line."""
        with storing(self._path):
            self._file.write(json.dumps(row).encode() + b"\n")

    def flush(self) -> None:
        """Hands the lines to the operating system."""
        with storing(self._path):
            self._file.flush()

    def sync(self) -> int:
        """Puts the lines on the disk and returns the file's length in bytes."""
        self.flush()
        with storing(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # lines that a full disk has refused before
            self._file.close()


class Log:
    """``train.log``: what was said to the user, with the time, and what was worth no screen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storing(path):
            self._file = path.open("ab", buffering=0)

    def write(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{stamp}  {line}\n" for line in text.splitlines())
        with storing(self._path):
            self._file.write(lines.encode())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
