"""Reads files of an untrusted run: regular files only, and with a limit on their size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from netdesc.report.errors import ReportAccessError, ReportError


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a regular file for reading.

    Pipes and devices are refused, because reading them may not end. Raises ReportAccessError if the
    file does not exist, and ReportError if the file cannot be read.
    """
    if not path.exists():
        raise ReportAccessError(f"{path}: the file does not exist, and the report requires it")
    if not path.is_file():
        raise ReportError(f"{path}: is not a regular file")
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_text(path: Path, max_bytes: int) -> str:
    """Reads a text file. ReportError if it is not UTF-8 or is longer than ``max_bytes``."""
    with open_regular_file(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ReportError(f"{path}: is longer than {max_bytes:,} bytes, the limit for this file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: is not UTF-8 text: {error}") from error
