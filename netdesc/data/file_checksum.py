"""Checks that a file exists and has the expected SHA-256."""

from __future__ import annotations

from pathlib import Path

from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.description.files.data_files import file_sha256


def check_file(path: Path, expected: str | None) -> None:
    """Checks that the file can be read and has the SHA-256 ``expected`` (None: not checked).

    Raises MissingDataError if the file cannot be read, DataError if its SHA-256 differs.
    """
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
        found = expected and file_sha256(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MissingDataError(f"{path}: cannot read this file: {reason}") from error
    if expected is not None and found != expected.lower():
        raise DataError(f"{path}: the file has changed: its SHA-256 is {found}, not {expected}")
