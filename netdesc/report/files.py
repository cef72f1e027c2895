"""Reading files of a run that somebody else may have written: regular ones, and never too much."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from netdesc.report.errors import MissingError, ReportError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading. MissingError, and ReportError where it cannot be read.

    A pipe or a device is refused, for reading one may never end.
    """
    if not path.exists():
        raise MissingError(f"{path}: there is no such file, and a report needs it")
    if not path.is_file():
        raise ReportError(f"{path}: is no regular file")
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_text(path: Path, most_bytes: int) -> str:
    """The text of a file in UTF-8. ReportError where it is something else, or longer."""
    with opened(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ReportError(f"{path}: is longer than the {most_bytes:,} bytes that it may have")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: is no text in UTF-8: {error}") from error
