"""Opens the files that the report writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from netdesc.atomic_write import NoFileError, atomic_path, failure_reason
from netdesc.report.errors import ReportAccessError, ReportError


@contextlib.contextmanager
def open_output(path: Path, follow_links: bool = False) -> Iterator[TextIO]:
    """Opens a UTF-8 text file, which replaces ``path`` when the block ends without an exception.

    Line ends are written as they are, bytes of paths that are not UTF-8 as ``\\udcff``. Raises
    ReportError if the file cannot be written, or is a symbolic link and ``follow_links`` is false.
    """
    try:
        with (
            atomic_path(path, follow_links) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            yield file
    except NoFileError as error:
        raise ReportError(f"{path}: {error}") from error
    except OSError as error:
        raise ReportAccessError(f"cannot write {path}: {failure_reason(error)}") from error
