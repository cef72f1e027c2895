"""Opens the files that the report writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from netdesc.atomic_write import NoFileError, atomic_path, failure_reason
from netdesc.runs.errors import RunError, StorageError
from netdesc.runs.folder import refuse_link


@contextlib.contextmanager
def open_output(path: Path, follow_links: bool = False) -> Iterator[TextIO]:
    """Opens a UTF-8 text file, which replaces ``path`` when the block ends without an exception.

    Line ends are written as they are, bytes of paths that are not UTF-8 as ``\\udcff``. Raises
    RunError if the file cannot be written, or is a symbolic link and ``follow_links`` is false.
    """
    if not follow_links:
        refuse_link(path)
    try:
        with (
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            yield file
    except NoFileError as error:
        raise RunError(f"{path}: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {failure_reason(error)}") from error
