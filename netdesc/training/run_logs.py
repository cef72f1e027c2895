"""Writes the log files of a run: ``metrics.jsonl`` and ``train.log``."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from netdesc.description.diagnostics.terminal_text import escape
from netdesc.training.errors import storing
from netdesc.training.run_directory import open_without_links


class MetricsFile:
    """Writes ``metrics.jsonl``: one JSON object per epoch, buffered in memory.

    Opening truncates the file to ``length`` bytes, the length at the checkpoint. If the file is
    shorter, ``is_short`` is True, and new lines are written after the last complete line. Every
    method raises StorageError if the file cannot be written.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        with storing(path):
            self._file = open(path, "ab+", opener=open_without_links)  # noqa: SIM115  (__exit__ closes it)
            size = self._file.tell()
            self.is_short = size < length
            if self.is_short:
                self._file.seek(0)
                length = self._file.read().rfind(b"\n") + 1
            self._file.truncate(length)
            self._file.seek(length)

    def append(self, row: dict[str, Any]) -> None:
        """Appends ``row`` as a line to the buffer."""
        with storing(self._path):
            self._file.write(json.dumps(row).encode() + b"\n")

    def flush(self) -> None:
        """Passes the buffer to the operating system, which may write it to the disk later."""
        with storing(self._path):
            self._file.flush()

    def sync(self) -> int:
        """Writes the buffer to the disk, and returns the length of the file in bytes."""
        self.flush()
        with storing(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def __enter__(self) -> MetricsFile:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # if the disk is full, ``flush`` has raised before
            self._file.close()


class Log:
    """Writes ``train.log``: messages and progress lines, one line each, with their local time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storing(path):
            self._file = open(path, "ab", 0, opener=open_without_links)  # noqa: SIM115  (__exit__ closes it)

    def write(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with storing(self._path):
            self._file.write(f"{stamp}  {escape(text)}\n".encode())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
