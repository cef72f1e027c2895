"""Reads the arrays of an untrusted .npz file, which may be damaged or malicious."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.array_source import ArrayFileError
from netdesc.description.files.npz import Npz
from netdesc.report.errors import ReportError
from netdesc.report.files import open_regular_file

MAX_BYTES = 256 << 20
"""The limit for the sum of all arrays of a file. Runs write only a small fraction of this size."""


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Reads all arrays of a file, by name. ReportError if the file is damaged or too large."""
    try:
        with open_regular_file(path) as file:
            npz, parse = Npz(file), partial(np.lib.format.read_array, allow_pickle=False)
            if npz.claimed_bytes > MAX_BYTES:
                raise ReportError(
                    f"{path}: claims {npz.claimed_bytes:,} bytes, more than a run ever writes"
                )
            return {name: npz.read(name, parse) for name in npz.names}
    except ArrayFileError as error:
        raise ReportError(f"{path}: {error}") from error
