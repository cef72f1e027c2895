"""Reads .npz files safely and without numpy: types, shapes and values of their arrays.

An .npz file is a ZIP archive of .npy files. The declared size of an array is accepted only if the
file is large enough for it. Arrays of Python objects are refused, because loading their pickles
could run any program.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netdesc.description.files.array_source import (
    DAMAGE_ERRORS,
    MAX_ARRAY_BYTES,
    MAX_READ_BYTES,
    ArrayFileError,
    ArraySource,
    OpenedArray,
    npy_file,
    npy_folder,
    quote_name,
)
from netdesc.description.files.npy import read_header
from netdesc.description.source import file_size

MAX_DEFLATE_RATIO = 1032
"""The highest compression ratio that deflate can reach."""
MAX_BYTES_AT_ANY_RATIO = 64 << 20
"""Arrays up to this size may have any compression ratio."""
MAX_LARGE_ARRAY_RATIO = 500
"""The highest compression ratio of larger arrays, so that a small file cannot fill the memory.
Spikes stay below it if at least one value in two thousand is 1.
"""

_LOCAL_HEADER_BYTES = 30
"""The length of a member's header without its name and extra field."""


class CompressionRatioError(ArrayFileError):
    """The compression ratio of an array is so high that a small file would fill the memory."""


class Npz(ArraySource):
    """The arrays of an open .npz file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(_BoundedReads(file))
            self._file_bytes = file.seek(0, 2)
        except ArrayFileError:
            raise
        except DAMAGE_ERRORS as problem:
            raise ArrayFileError("is not an .npz file, or it is cut off or damaged") from problem
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                continue
            if name in self._members:
                raise ArrayFileError(f"holds the array {quote_name(name)} twice")
            self._members[name] = info
        self.names = list(self._members)

    @property
    def claimed_bytes(self) -> int:
        """The size of all arrays together, as declared in the table of contents."""
        return sum(info.file_size for info in self._members.values())

    def _path(self, name: str) -> Path:
        return Path(self._file.name)

    @contextmanager
    def _opened(self, name: str) -> Generator[OpenedArray, None, None]:
        info, offset = self._members[name], None
        if info.flag_bits & 1:
            raise ArrayFileError(f"is encrypted in its array {quote_name(name)}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArrayFileError(
                f"compresses its array {quote_name(name)} with a method that numpy does not use"
            )
        with self._zip.open(info) as member:
            header, length = read_header(member)
            if header.kind not in "OV":  # such arrays are never read
                self._check_size(info, name, length + header.bytes)
            if info.compress_type == zipfile.ZIP_STORED:
                self._file.seek(info.header_offset)
                local = self._file.read(_LOCAL_HEADER_BYTES)
                name_and_extra = sum(struct.unpack("<HH", local[-4:]))
                offset = info.header_offset + _LOCAL_HEADER_BYTES + name_and_extra + length
            member.seek(0)
            yield OpenedArray(header, offset, member)

    def _check_size(self, info: zipfile.ZipInfo, name: str, size: int) -> None:
        """Raises ArrayFileError unless the file can hold an array of ``size`` bytes."""
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if size > MAX_ARRAY_BYTES and not is_stored:
            raise ArrayFileError(
                f"has {size / (1 << 30):,.1f} GiB in its array {quote_name(name)}; at most "
                f"{MAX_ARRAY_BYTES >> 30} GiB are possible, and any number if numpy.savez saves it"
            )
        ratio = 1 if is_stored else MAX_DEFLATE_RATIO
        packed = min(info.compress_size, self._file_bytes - info.header_offset)
        # If the sizes agree, zipfile verifies the checksum when it reads the last byte.
        if size != info.file_size or size > packed * ratio:
            raise ArrayFileError(
                f"is cut off or damaged: its array {quote_name(name)} does not have {size:,} bytes"
            )
        if size > MAX_BYTES_AT_ANY_RATIO and size > packed * MAX_LARGE_ARRAY_RATIO:
            raise CompressionRatioError(
                f"compresses {size:,} bytes to {packed:,} in its array {quote_name(name)}; the "
                f"ratio must be at most {MAX_LARGE_ARRAY_RATIO} for more than "
                f"{MAX_BYTES_AT_ANY_RATIO >> 20} MiB"
            )


@contextmanager
def open_arrays(path: Path) -> Generator[ArraySource, None, None]:
    """Opens an .npz file, an .npy file, or a folder of them. Raises OSError, and ArrayFileError."""
    if path.is_dir():
        yield npy_folder(path)
        return
    try:
        file_size(path)  # a pipe is not opened, which would wait for its writer
    except ValueError as problem:
        raise ArrayFileError(f"cannot be read: {problem}") from problem
    if path.suffix.lower() == ".npy":
        yield npy_file(path)
        return
    with path.open("rb") as file:
        yield Npz(file)


class _BoundedReads:
    """A file for zipfile whose reads are of at most ``MAX_READ_BYTES``, else ArrayFileError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_READ_BYTES:
            raise ArrayFileError("has a table of contents that is too long")
        return self._file.read(size if size >= 0 else MAX_READ_BYTES)
