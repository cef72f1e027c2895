"""Reads .npz files safely and without numpy: types, shapes and values of their arrays.

An .npz file is a ZIP archive of .npy files. The declared size of an array is accepted only if the
file is large enough for it. Arrays of Python objects are refused, because loading their pickles
could run any program.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, TypeVar

from netdesc.description.files.npy import HEADER_ERRORS, Header, numbers, read_header

MAX_READ_BYTES = 1 << 20
"""Largest number of bytes in one read. zipfile reads the whole table of contents in one read, so
this limit allows thousands of arrays.
"""
MAX_ARRAY_BYTES = 4 << 30
"""The largest size of an array, which training keeps in memory."""
MAX_DEFLATE_RATIO = 1032
"""The highest compression ratio that deflate can reach."""
MAX_BYTES_AT_ANY_RATIO = 64 << 20
"""Arrays up to this size may have any compression ratio."""
MAX_LARGE_ARRAY_RATIO = 500
"""The highest compression ratio of larger arrays, so that a small file cannot fill the memory.
Spikes stay below it if at least one value in two thousand is 1.
"""

_DAMAGE_ERRORS = (*HEADER_ERRORS, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""The exceptions of ``zipfile`` and ``read_header`` for a damaged file or another format."""

Parsed = TypeVar("Parsed")


class NpzError(ValueError):
    """The file or one of its arrays cannot be read.

    The message is a predicate, such as "is damaged", which follows the name of the file.
    """


class CompressionRatioError(NpzError):
    """The compression ratio of an array is so high that a small file would fill the memory."""


class Npz:
    """The arrays of an open .npz file. NpzError is the only exception that its methods raise."""

    def __init__(self, file: BinaryIO) -> None:
        with _translate_errors():
            self._zip = zipfile.ZipFile(_BoundedReads(file))
            self._file_bytes = file.seek(0, 2)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                continue
            if name in self._members:
                raise NpzError(f"holds the array {quote_name(name)} twice")
            self._members[name] = info

    @property
    def names(self) -> list[str]:
        return list(self._members)

    @property
    def claimed_bytes(self) -> int:
        """The size of all arrays together, as declared in the table of contents."""
        return sum(info.file_size for info in self._members.values())

    def header(self, name: str) -> Header:
        """Returns type and shape of an array, after checking that the file can hold its values."""
        with _translate_errors(name):
            return self._header(self._member(name), name)

    def read(self, name: str, parse: Callable[[IO[bytes]], Parsed]) -> Parsed:
        """Opens the .npy file of an array and returns ``parse(file)``.

        An example of ``parse`` is ``numpy.lib.format.read_array``. NpzError if the array consists
        of Python objects or records, or is damaged.
        """
        with _translate_errors(name):
            info = self._member(name)
            kind = self._header(info, name).kind
            if kind == "O":
                raise NpzError(
                    f"holds pickled Python objects in its array {quote_name(name)}, which netdesc "
                    "never loads"
                )
            if kind == "V":
                raise NpzError(f"holds records in its array {quote_name(name)}")
            with self._zip.open(info) as member:
                return parse(member)

    def values(self, name: str) -> Sequence[float]:
        """Returns the numbers of an array in the order of the file. The ``code`` of its header must
        not be ``None``.
        """
        return self.read(name, _values)

    def _member(self, name: str) -> zipfile.ZipInfo:
        info = self._members.get(name)
        if info is None:
            names = ", ".join(each for each in self.names[:10] if each.isprintable())
            raise NpzError(f"has no array {quote_name(name)}; its arrays: {names or 'none'}")
        if info.flag_bits & 1:
            raise NpzError(f"is encrypted in its array {quote_name(name)}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(
                f"compresses its array {quote_name(name)} with a method that numpy does not use"
            )
        return info

    def _header(self, info: zipfile.ZipInfo, name: str) -> Header:
        with self._zip.open(info) as member:
            header, length = read_header(member)
        if header.kind in "OV":
            return header  # no size check: such arrays are never read
        size = length + header.bytes
        if size > MAX_ARRAY_BYTES:
            raise NpzError(
                f"has {size / (1 << 30):,.1f} GiB in its array {quote_name(name)}; "
                f"at most {MAX_ARRAY_BYTES >> 30} GiB are possible"
            )
        ratio = MAX_DEFLATE_RATIO if info.compress_type == zipfile.ZIP_DEFLATED else 1
        packed = min(info.compress_size, self._file_bytes - info.header_offset)
        # If the sizes agree, zipfile verifies the checksum when it reads the last byte.
        if size != info.file_size or size > packed * ratio:
            raise NpzError(
                f"is cut off or damaged: its array {quote_name(name)} does not have {size:,} bytes"
            )
        if size > MAX_BYTES_AT_ANY_RATIO and size > packed * MAX_LARGE_ARRAY_RATIO:
            raise CompressionRatioError(
                f"compresses {size:,} bytes to {packed:,} in its array {quote_name(name)}; the "
                f"ratio must be at most {MAX_LARGE_ARRAY_RATIO} for more than "
                f"{MAX_BYTES_AT_ANY_RATIO >> 20} MiB"
            )
        return header


def quote_name(name: str) -> str:
    """Returns the array's name in quotes, cut to 40 characters."""
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'


class _BoundedReads:
    """A file for zipfile that raises NpzError if a read asks for more than ``MAX_READ_BYTES``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_READ_BYTES:
            raise NpzError("has a table of contents that is too long")
        return self._file.read(size if size >= 0 else MAX_READ_BYTES)


@contextmanager
def _translate_errors(name: str | None = None) -> Generator[None, None, None]:
    """Converts the exceptions of zipfile and of parsers to NpzError."""
    try:
        yield
    except NpzError:
        raise
    except _DAMAGE_ERRORS as problem:
        if name is None:
            raise NpzError("is not an .npz file, or it is cut off or damaged") from problem
        raise NpzError(f"is damaged in its array {quote_name(name)}") from problem


def _values(member: IO[bytes]) -> Sequence[float]:
    header, _ = read_header(member)
    raw = b"".join(iter(lambda: member.read(MAX_READ_BYTES), b""))
    if len(raw) != header.bytes:
        raise EOFError
    return numbers(header, raw)
