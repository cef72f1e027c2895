"""Whether a file is there, and is the one that was meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

from netdesc.training.errors import DataError, MissingDataError


def check_file(path: Path, promised: str | None) -> None:
    """MissingDataError where a file cannot be opened, DataError where its SHA-256 differs."""
    try:
        with path.open("rb") as file:
            if promised is None:
                return
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MissingDataError(f"{path}: cannot read this file: {reason}") from error
    if found != promised.lower():
        raise DataError(f"{path}: the file has changed: its SHA-256 is {found}, not {promised}")
