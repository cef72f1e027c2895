"""Opens the files that the report writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from netdesc.events import atomic_path
from netdesc.events.atomic_write import NoFileError
from netdesc.report.errors import ReportError, UnwritableError


@contextlib.contextmanager
def open_output(path: Path) -> Iterator[TextIO]:
    """Opens a UTF-8 text file, which replaces ``path`` when the block ends without an exception.

    Line ends are written as they are. Raises ReportError if the file cannot be written.
    """
    try:
        with (
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            yield file
    except NoFileError as error:
        raise ReportError(f"{path}: {error}") from error
    except OSError as error:
        raise UnwritableError(f"cannot write {path}: {error.strerror or error}") from error
