"""Arrays out of an ``.npz`` file that nobody vouches for.

The file is a zip of ``.npy`` members. Pickles are never loaded, and a size is believed only where
the file is large enough to hold it, before any memory is taken for it.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.typing import NDArray

from netdesc.training.errors import DataError

LARGEST_ARRAY = 4 * 2**30
"""Bytes that an array may have when it is unpacked."""

_DEFLATE_RATIO = 1032
"""How many times smaller deflate can make anything at best, which is a run of one byte."""

_PIECE = 1 << 24
_LONGEST = 200
"""Characters of a file's own words in a message."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    # The same in UTF-8, which makes a difference only to the names of fields.
    (3, 0): np.lib.format.read_array_header_2_0,
}

# What zipfile and zlib raise on damaged bytes, and on packings that they do not know.
_ZIP_ERRORS = (
    OSError,
    EOFError,
    OverflowError,
    NotImplementedError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
# What numpy's header reader raises on headers that are damaged.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, OverflowError, RecursionError)


def read_npz(
    path: Path, names: Sequence[str], optional: Sequence[str] = (), largest: int | None = None
) -> dict[str, NDArray]:
    """The arrays called ``names``, all of numbers, and the ``optional`` ones that are there.

    None has more bytes than ``largest``, or ``LARGEST_ARRAY``. DataError names file and array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = [*names, *(name for name in optional if name in there)]
            most = LARGEST_ARRAY if largest is None else largest
            return {name: _read_member(path, archive, there, name, most) for name in wanted}
    except DataError:
        raise
    except (*_ZIP_ERRORS, ValueError) as error:
        raise DataError(f"{path}: is no sound .npz file: {_cause(error)}") from error


def _read_member(
    path: Path,
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    name: str,
    largest: int,
) -> NDArray:
    if name not in members:
        there = ", ".join(each if each.isprintable() else ascii(each) for each in members)
        raise DataError(
            f'{path}: there is no array "{name}" in it; there are: {there[:_LONGEST] or "none"}'
        )
    info = members[name]
    try:
        _check_size(info, path.stat().st_size, largest)
        with archive.open(info) as file:
            return _read_array(file, info.file_size)
    except RuntimeError as error:  # also NotImplementedError: a password, an unknown packing
        raise DataError(f'{path}: cannot unpack array "{name}": {_cause(error)}') from error
    except _ZIP_ERRORS as error:
        raise DataError(f'{path}: array "{name}" is damaged: {_cause(error)}') from error
    except ValueError as error:
        raise DataError(f'{path}: array "{name}" {error}') from error


def _cause(error: Exception) -> str:
    """What a library says, in one line of bounded length."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _check_size(info: zipfile.ZipInfo, file_bytes: int, allowed: int) -> None:
    """ValueError where a member says that it is larger than it can be, or than it may be."""
    packed = min(info.compress_size, file_bytes)
    largest = packed if info.compress_type == zipfile.ZIP_STORED else packed * _DEFLATE_RATIO
    if info.file_size > largest:
        raise ValueError(
            f"is damaged: it claims {info.file_size:,} bytes, more than {packed:,} can hold"
        )
    if info.file_size > allowed:
        raise ValueError(f"has {info.file_size:,} bytes; an array may have {allowed:,}")


def _read_array(file: IO[bytes], size: int) -> NDArray:
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"version {version} is unknown")
        shape, is_fortran, dtype = _HEADERS[version](file)
    except _HEADER_ERRORS as error:
        raise ValueError(
            f"is damaged: it does not begin as an array does ({_cause(error)})"
        ) from error
    if dtype.hasobject:
        raise ValueError("holds pickled Python objects, which are never loaded; save numbers")
    if dtype.kind not in "biuf":
        raise ValueError(f"holds {dtype}; numbers are needed")
    if (
        any(type(n) is not int or n < 0 for n in shape)
        or math.prod(shape) * dtype.itemsize != size - file.tell()
    ):
        raise ValueError(
            f"is damaged: {size - file.tell():,} bytes are no array of shape {list(shape)} and "
            f"type {dtype}"
        )
    array = np.empty(math.prod(shape), dtype)
    _fill(array, file)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _fill(array: NDArray, file: IO[bytes]) -> None:
    """Reads the bytes of ``array``; at the last of them zipfile compares the checksum."""
    if not array.size:
        return
    target = memoryview(array.view(np.uint8).data)
    for start in range(0, len(target), _PIECE):
        wanted = min(_PIECE, len(target) - start)
        piece = file.read(wanted)
        if len(piece) != wanted:
            raise ValueError("is damaged: it ends early")
        target[start : start + wanted] = piece
