"""Reads idx files, the format of MNIST, also those that gzip has compressed.

An idx file begins with two zero bytes, a code of the type of its values, the number of axes, and
the length of each axis in 4 bytes. The values follow. All numbers are big-endian.
"""

import gzip
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.data.array_files import (
    MAX_RESIDENT_BYTES,
    MAX_UNPACKED_BYTES,
    ArrayFileError,
    array_damage,
    unpacked_size_error,
)
from netdesc.description.source import file_size
from netdesc.events.npy_header import ArrayHeader

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Maps the code of a type to numpy's dtype."""
_GZIP_MAGIC = b"\x1f\x8b"


class IdxFiles:
    """The arrays of idx files, by name (see ``array_files.ArraySource``).

    Arrays of several axes get the shape of the network's input if they have as many values.
    """

    def __init__(self, paths: Mapping[str, Path], input_shape: tuple[int, ...]) -> None:
        self.names, self._paths, self._input_shape = list(paths), paths, input_shape

    def header(self, name: str) -> ArrayHeader:
        with array_damage():
            size = file_size(self._paths[name])
            with self._paths[name].open("rb") as file:
                stream = _unpacked(file)
                header = self._read_header(stream)
        needed = header.offset + header.bytes
        if stream is not file and needed > MAX_UNPACKED_BYTES:
            raise unpacked_size_error(name, needed)
        if stream is file and needed != size:
            what = "is cut off" if needed > size else "is damaged"
            raise ArrayFileError(f"{what}: it has {size:,} bytes, and its header says {needed:,}")
        return header

    def is_mapped(self, name: str) -> bool:
        with self._paths[name].open("rb") as file:
            is_packed = _unpacked(file) is not file
        return not is_packed and self.header(name).bytes > MAX_RESIDENT_BYTES

    def read(self, name: str) -> NDArray:
        header, path = self.header(name), self._paths[name]
        if self.is_mapped(name):
            return np.asarray(np.memmap(path, header.dtype, "r", header.offset, header.shape))
        with array_damage(), path.open("rb") as file:
            stream = _unpacked(file)
            stream.read(header.offset)
            raw = stream.read(header.bytes + 1)
            if len(raw) != header.bytes:
                raise EOFError
            return np.frombuffer(raw, header.dtype).reshape(header.shape)

    def _read_header(self, stream: BinaryIO) -> ArrayHeader:
        start = stream.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not start[3]:
            raise ArrayFileError("is not an idx file, or it is cut off")
        shape: tuple[int, ...] = struct.unpack(f">{start[3]}I", stream.read(4 * start[3]))
        offset = 4 + 4 * len(shape)
        if len(shape) > 1 and math.prod(shape[1:]) == math.prod(self._input_shape):
            shape = (shape[0], *self._input_shape)
        return ArrayHeader(shape, np.dtype(_TYPES[start[2]]), offset=offset)


def _unpacked(file: BinaryIO) -> BinaryIO:
    """Returns a file, or what unpacks it if gzip has compressed it."""
    is_packed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
