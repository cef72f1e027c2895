"""Checks that a file exists and has the expected SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from netdesc.training.errors import DataError, MissingDataError


def check_file(path: Path, expected: str | None) -> None:
    """Checks that the file can be read and has the SHA-256 ``expected`` (None: not checked).

    Raises MissingDataError if the file cannot be read, DataError if its SHA-256 differs.
    """
    try:
        with path.open("rb") as file:
            if expected is None:
                return
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MissingDataError(f"{path}: cannot read this file: {reason}") from error
    if found != expected.lower():
        raise DataError(f"{path}: the file has changed: its SHA-256 is {found}, not {expected}")
