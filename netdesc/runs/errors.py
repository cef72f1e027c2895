"""Errors about the folder of a run and its files, each with the exit code of the command line."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from netdesc.atomic_write import NoFileError, failure_reason
from netdesc.caller import UserError


class RunError(UserError):
    """A run cannot begin or go on, or its weights or files are missing, damaged or in use.

    ``exit_code`` is 3 for what is missing, 2 for a folder in use, and otherwise 1.
    """

    exit_code: int = 1

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class StorageError(RunError):
    """A file of a run could not be written."""

    exit_code = 3


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Converts an OSError within the block to a StorageError that names ``path`` and the reason.

    A path that leads to no file, but to a folder or a pipe, is a RunError.
    """
    try:
        yield
    except NoFileError as error:
        raise RunError(f"{path}: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {failure_reason(error)}") from error
