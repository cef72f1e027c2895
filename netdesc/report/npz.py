"""Reading ``.npz`` files that may be damaged or made to do harm."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from netdesc.report.errors import ReportError
from netdesc.report.files import opened

MOST_BYTES = 256 << 20
"""Of all arrays together. What a run writes is a small part of it."""
MOST_ARRAYS = 10_000

_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    # The same in UTF-8, which makes a difference only to the names of fields.
    (3, 0): npy.read_array_header_2_0,
}
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,  # a compression that Python lacks
    RuntimeError,  # an encrypted member
    ValueError,
    MemoryError,
    TypeError,  # from here on what numpy's reader of headers raises
    SyntaxError,
    TokenError,
    OverflowError,
    RecursionError,
)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file by name; nothing that would have to be unpickled.

    ReportError where the file is damaged or declares more than ``MOST_BYTES``.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > MOST_ARRAYS or size > MOST_BYTES:
                raise ReportError(
                    f"{path}: declares {len(members):,} arrays of {size:,} bytes, "
                    f"more than a run ever writes"
                )
            return {
                member.filename.removesuffix(".npy"): _array(archive.read(member))
                for member in members
            }
    except ReportError:
        raise
    except _FAULTS as error:
        raise ReportError(f"{path}: is damaged: {error}") from error


def _array(content: bytes) -> NDArray[Any]:
    """The array in an ``.npy`` file, whose header must agree with the bytes that follow it."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"an array is in version {version} of the format")
    shape, is_fortran, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("an array holds Python objects")
    length = len(content) - file.tell()
    if length != math.prod(shape) * dtype.itemsize or any(
        type(size) is not int or size < 0
        for size in shape  # True is an int to numpy
    ):
        raise ValueError(f"an array declares shape {list(shape)} and has {length:,} bytes")
    array = np.frombuffer(content, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if is_fortran else "C")
