"""Errors of event files, pictures and animations, and the writing that raises them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from netdesc.atomic_write import NoFileError, atomic_path, failure_reason
from netdesc.caller import UserError


class EventFileError(UserError):
    """An event file cannot be read or written; the message names the file and the reason.

    ``hint`` names a likely cause and may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, path: str | Path, problem: str, hint: str = "") -> None:
        super().__init__("; ".join(filter(None, (f"{path}: {problem}", hint))))
        self.path = Path(path)
        self.problem, self.hint = problem, hint


class EventLengthError(EventFileError):
    """A .bs1 or .bs2 file ends within an event."""


class EventFileAccessError(EventFileError):
    """The file is missing, or the system does not let netdesc open or write it."""

    exit_code = 3


@contextlib.contextmanager
def atomic_output_path(path: str | Path) -> Iterator[Path]:
    """Yields what ``atomic_path`` does; EventFileError if ``path`` cannot be written."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except NoFileError as error:
        raise EventFileError(path, str(error)) from error
    except OSError as error:
        raise EventFileAccessError(path, failure_reason(error)) from error
