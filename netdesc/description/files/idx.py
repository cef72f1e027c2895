"""Reads idx files without numpy, also those that gzip has compressed.

An idx file begins with two zero bytes, a code of the type of its values, the number of axes, and
the length of each axis in 4 bytes. The values follow. All numbers are big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO, cast

from netdesc.description.files.array_source import (
    MAX_ARRAY_BYTES,
    ArrayFileError,
    ArrayFiles,
    OpenedArray,
)
from netdesc.description.files.npy import Header, npy_header
from netdesc.description.files.npz import (
    MAX_BYTES_AT_ANY_RATIO,
    MAX_DEFLATE_RATIO,
    MAX_LARGE_ARRAY_RATIO,
)
from netdesc.description.shapes import Shape
from netdesc.description.source import file_size

_TYPES = {8: ("u", 1), 9: ("i", 1), 11: ("i", 2), 12: ("i", 4), 13: ("f", 4), 14: ("f", 8)}
"""Maps the code of a type to numpy's ``dtype.kind`` and the number of bytes of a value."""
_MAX_AXES = 8
_GZIP_MAGIC = b"\x1f\x8b"


def idx_files(images: Path, labels: Path, input_shape: Shape) -> ArrayFiles:
    """Returns the arrays ``images`` and ``labels`` of idx files.

    Images get the shape of the network's input if they have as many values.
    """
    return ArrayFiles({"images": images, "labels": labels}, lambda path: _open(path, input_shape))


@contextmanager
def _open(path: Path, input_shape: Shape) -> Generator[OpenedArray, None, None]:
    size = file_size(path)
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
        header, start = _read_header(stream)
        _check_size(start + header.bytes, size, is_packed)
        if len(header.shape) > 1 and math.prod(header.shape[1:]) == math.prod(input_shape):
            header = replace(header, shape=(header.shape[0], *input_shape))
        values = _NpyStream(header, stream)
        yield OpenedArray(header, None if is_packed else start, cast("IO[bytes]", values))


def _read_header(stream: BinaryIO) -> tuple[Header, int]:
    """Returns type and shape of the values, and the number of bytes before them."""
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
        raise ArrayFileError("is not an idx file, or it is cut off")
    axes = start[3]
    if not 1 <= axes <= _MAX_AXES:
        raise ArrayFileError(f"has {axes} axes; 1 to {_MAX_AXES} are possible")
    raw = stream.read(4 * axes)
    if len(raw) < 4 * axes:
        raise EOFError
    shape = struct.unpack(f">{axes}I", raw)
    return Header(*_TYPES[start[2]], True, shape, False), 4 + 4 * axes


def _check_size(needed: int, size: int, is_packed: bool) -> None:
    """Checks the number of bytes that a header claims by the ``size`` of the file."""
    if not is_packed:
        if needed != size:
            what = "is cut off" if needed > size else "is damaged"
            raise ArrayFileError(f"{what}: it has {size:,} bytes, and its header says {needed:,}")
        return
    if needed > MAX_ARRAY_BYTES:
        raise ArrayFileError(
            f"unpacks to {needed / (1 << 30):,.1f} GiB; at most {MAX_ARRAY_BYTES >> 30} GiB are "
            "possible, and any number in a file that is not compressed"
        )
    ratio = MAX_DEFLATE_RATIO if needed <= MAX_BYTES_AT_ANY_RATIO else MAX_LARGE_ARRAY_RATIO
    if needed > size * ratio:
        raise ArrayFileError(
            f"is cut off or damaged: its header says {needed:,} bytes, and {size:,} compressed "
            f"bytes hold at most {size * ratio:,}"
        )


class _NpyStream:
    """The values of an idx file as an .npy file. EOFError if there are more or fewer than said."""

    def __init__(self, header: Header, stream: BinaryIO) -> None:
        self._start = npy_header(header)
        self._left = header.bytes
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if self._start:
            cut = len(self._start) if size < 0 else size
            raw, self._start = self._start[:cut], self._start[cut:]
            return raw
        raw = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(raw)
        if (not raw and self._left and size) or (not self._left and self._stream.read(1)):
            raise EOFError
        return raw
