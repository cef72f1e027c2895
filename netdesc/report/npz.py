"""Reads the arrays of an .npz file that may be damaged or made to do harm."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.npz import Npz, NpzError
from netdesc.report.errors import ReportError
from netdesc.report.files import opened

MAX_BYTES = 256 << 20
"""Of all arrays together. What a run writes is a small part of it."""


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file by name. ReportError where it is damaged or claims too many bytes."""
    try:
        with opened(path) as file:
            npz = Npz(file)
            if npz.claimed_bytes > MAX_BYTES:
                raise ReportError(
                    f"{path}: claims {npz.claimed_bytes:,} bytes, more than a run ever writes"
                )
            return {name: npz.read(name, _read_array) for name in npz.names}
    except NpzError as error:
        raise ReportError(f"{path}: {error}") from error


def _read_array(file: IO[bytes]) -> NDArray[Any]:
    return np.lib.format.read_array(file, allow_pickle=False)
