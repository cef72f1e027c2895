"""Reads .npz files: the types and shapes of their arrays, and the values.

An .npz file is a ZIP archive of .npy files. A size is believed only where the file is large enough
to hold it, and nothing in the file is executed: an array of Python objects would be a pickle, and
is refused. numpy is not needed.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, TypeVar

from netdesc.description.files.npy import HEADER_ERRORS, Header, numbers, read_header

MAX_READ_BYTES = 1 << 20
"""Most bytes that are read at a time. A table of contents, which zipfile reads in one piece, has
room for thousands of arrays in them."""
MAX_UNPACKED = 4 << 30
"""Largest array, in bytes. Training keeps its arrays in memory."""
MAX_RATIO = 1032
"""Deflate packs no more bytes than these into one."""
FREE_BYTES = 64 << 20
"""Arrays up to this size may be packed as tightly as deflate can."""
TIGHT_RATIO = 500
"""Larger ones may not be so many times as large as they are packed: a small file that fills the
memory is no data set. Spikes of which one in two thousand is set come to less."""

_DAMAGE = (*HEADER_ERRORS, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""What ``zipfile`` and ``read_header`` raise about a damaged file, or one of another format."""

Parsed = TypeVar("Parsed")


class NpzError(ValueError):
    """The file, or one of its arrays, cannot be read; says why, after "the file …"."""


class TightError(NpzError):
    """An array is packed so tightly that a small file would fill the memory."""


class Npz:
    """The arrays of an open file. Every method raises NpzError, and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        with _explained():
            self._zip = zipfile.ZipFile(_BoundedReads(file))
            self._file_bytes = file.seek(0, 2)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                continue
            if name in self._members:
                raise NpzError(f"holds the array {quoted(name)} twice")
            self._members[name] = info

    @property
    def names(self) -> list[str]:
        return list(self._members)

    @property
    def claimed_bytes(self) -> int:
        """Size of all arrays together, as the table of contents has it."""
        return sum(info.file_size for info in self._members.values())

    def header(self, name: str) -> Header:
        """Type and shape of an array, after its size was checked."""
        with _explained(name):
            return self._header(self._member(name), name)

    def read(self, name: str, parse: Callable[[IO[bytes]], Parsed]) -> Parsed:
        """What ``parse``, such as ``numpy.lib.format.read_array``, makes of an array's .npy file.

        Arrays of Python objects and records are refused.
        """
        with _explained(name):
            info = self._member(name)
            kind = self._header(info, name).kind
            if kind == "O":
                raise NpzError(
                    f"holds pickled Python objects in its array {quoted(name)}, which netdesc "
                    "never loads"
                )
            if kind == "V":
                raise NpzError(f"holds records in its array {quoted(name)}")
            with self._zip.open(info) as member:
                return parse(member)

    def values(self, name: str) -> Sequence[float]:
        """The numbers of an array, in the order of the file. The header must have a ``code``."""
        return self.read(name, _values)

    def _member(self, name: str) -> zipfile.ZipInfo:
        info = self._members.get(name)
        if info is None:
            there = ", ".join(each for each in self.names[:10] if each.isprintable())
            raise NpzError(f"has no array {quoted(name)}; there are: {there or 'none'}")
        if info.flag_bits & 1:
            raise NpzError(f"is encrypted in its array {quoted(name)}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(f"packs its array {quoted(name)} in a way that numpy does not use")
        return info

    def _header(self, info: zipfile.ZipInfo, name: str) -> Header:
        with self._zip.open(info) as member:
            header, length = read_header(member)
        if header.kind in "OV":
            return header  # never read, whatever its size
        size = length + header.bytes
        if size > MAX_UNPACKED:
            raise NpzError(
                f"has {size / (1 << 30):,.1f} GiB in its array {quoted(name)}; "
                f"{MAX_UNPACKED >> 30} GiB is the most"
            )
        ratio = MAX_RATIO if info.compress_type == zipfile.ZIP_DEFLATED else 1
        packed = min(info.compress_size, self._file_bytes - info.header_offset)
        # Where the sizes agree, zipfile compares the checksum with the last byte that is read.
        if size != info.file_size or size > packed * ratio:
            raise NpzError(
                f"is cut off or damaged: its array {quoted(name)} should have {size:,} bytes, "
                "and has not"
            )
        if size > FREE_BYTES and size > packed * TIGHT_RATIO:
            raise TightError(
                f"unpacks {size:,} bytes from {packed:,} in its array {quoted(name)}; from "
                f"{FREE_BYTES >> 20} MiB on, {TIGHT_RATIO} times the packed size is the most"
            )
        return header


def quoted(name: str) -> str:
    """An array's name as messages show it. It may be anything, and long."""
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'


class _BoundedReads:
    """A file of which at most ``MAX_READ_BYTES`` are read at a time, whatever its contents say."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_READ_BYTES:
            raise NpzError("has a table of contents of absurd length")
        return self._file.read(size if size >= 0 else MAX_READ_BYTES)


@contextmanager
def _explained(name: str | None = None) -> Generator[None, None, None]:
    """Turns what zipfile and parsers raise into NpzError."""
    try:
        yield
    except NpzError:
        raise
    except _DAMAGE as problem:
        if name is None:
            raise NpzError("is no .npz file, or is cut off or damaged") from problem
        raise NpzError(f"is damaged in its array {quoted(name)}") from problem


def _values(member: IO[bytes]) -> Sequence[float]:
    header, _ = read_header(member)
    raw = b"".join(iter(lambda: member.read(MAX_READ_BYTES), b""))
    if len(raw) != header.bytes:
        raise EOFError
    return numbers(header, raw)
