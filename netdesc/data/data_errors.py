"""Errors of data, each with the exit code of the command line."""

from pathlib import Path
from typing import ClassVar

from netdesc.caller import UserError
from netdesc.description.file_references import file_sha256


class DataError(UserError):
    """A data file is damaged, does not fit the network, or has another SHA-256 than expected."""

    exit_code: ClassVar[int] = 1


class MissingDataError(DataError):
    """A data file is missing or cannot be opened."""

    exit_code = 3


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
