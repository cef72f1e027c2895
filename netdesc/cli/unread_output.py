"""Tells whether nobody reads what a command prints any more, so that it may go on without."""

from __future__ import annotations

import errno
import os
import stat
from typing import TextIO


def is_unread(stream: TextIO, error: OSError) -> bool:
    """Whether an error of writing means a closed pipe, or a terminal that has vanished."""
    if isinstance(error, BrokenPipeError):
        return True
    # On a disk, the same error means that a result is lost.
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
