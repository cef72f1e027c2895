"""Gives safetensors, which opens UTF-8 paths only, a path to any file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """Yields a path of the file ``path`` that is UTF-8 text: itself, or a temporary link.

    The file can be read after the block, too, if it was opened within the block. Raises OSError if
    the link cannot be created.
    """
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        with tempfile.TemporaryDirectory(prefix="netdesc-") as folder:
            link = Path(folder) / "link"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path
