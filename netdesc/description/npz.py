"""What is in an .npz file: its arrays, their types and shapes, and the values of small ones.

An .npz file is a ZIP archive of .npy files. Whatever a file claims, only a bounded part of it is
read and unpacked, and nothing in it is executed: an array of Python objects would be a pickle, and
is only named as such. See numpy.lib.format for the header of an .npy file.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import sys
import warnings
import zipfile
import zlib
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

MAX_DIRECTORY = 1 << 20
"""Largest table of contents, in bytes: thousands of arrays."""
MAX_HEADER = 10_000
"""Longest header of an array, in bytes. That of a plain array has 118."""
MAX_UNPACKED = 4 << 30
"""Largest array, in bytes. Training keeps its arrays in memory."""
MAX_RATIO = 1032
"""Deflate packs no more bytes than these into one."""
FREE_BYTES = 64 << 20
"""Arrays up to this size may be packed as tightly as deflate can."""
TIGHT_RATIO = 500
"""Larger ones may not be so many times as large as they are packed: a small file that fills the
memory is no data set. Spikes of which one in two thousand is set come to less."""

_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(r"([<>|=]?)([a-zA-Z])([0-9]{0,9})(\[[^\]]*\])?")
_CODES = {"b": "?", "i": "bhiq", "u": "BHIQ", "f": "efd"}
"""Letters of the modules array and struct for numpy's kinds, by size."""

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile and ``read_header`` raise about files that are none, or no longer whole."""


class NpzError(ValueError):
    """The file, or one of its arrays, cannot be read; says why, after "the file …"."""


class TightError(NpzError):
    """An array is packed so tightly that a small file would fill the memory."""


@dataclass(frozen=True, slots=True)
class Header:
    """An array of the file. ``kind`` is numpy's letter: b, i, u, f, O (a pickle) or another."""

    kind: str
    item_bytes: int
    is_big_endian: bool
    shape: tuple[int, ...]
    fortran_order: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def code(self) -> str | None:
        """The letter that ``struct`` has for such numbers, if it has one."""
        letters = _CODES.get(self.kind, "")
        for letter in letters:
            if struct.calcsize(f"={letter}") == self.item_bytes:
                return letter
        return None

    def index(self, position: int) -> tuple[int, ...]:
        """Where in the array the value stands that comes at a position of the file."""
        order = self.shape if self.fortran_order else self.shape[::-1]
        found: list[int] = []
        for length in order:
            position, rest = divmod(position, length)
            found.append(rest)
        return tuple(found if self.fortran_order else found[::-1])

    def rounded(self, value: float) -> float:
        """The number that this array would hold for ``value``: 0.1 is another one in 4 bytes."""
        if self.kind != "f" or self.code is None:
            return value
        try:
            return struct.unpack(f"={self.code}", struct.pack(f"={self.code}", value))[0]
        except OverflowError:
            return math.copysign(math.inf, value)


class Npz:
    """The arrays of an open file. Every method raises NpzError, and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self._metered = _Metered(file)
        with _explained():
            self._metered.allow(MAX_DIRECTORY)
            self._zip = zipfile.ZipFile(self._metered)
            self._file_bytes = self._metered.seek(0, 2)
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

    def header(self, name: str) -> Header:
        """Type and shape of the array ``name``, which is one of ``names``."""
        with _explained(name):
            return self._open(name)[1]

    def values(self, name: str) -> Sequence[float]:
        """The numbers of an array, in the order of the file. The caller sees to its size.

        Only for headers with a ``code``.
        """
        with _explained(name):
            member, header = self._open(name)
            wanted = header.size * header.item_bytes
            self._metered.allow(wanted + MAX_DIRECTORY)
            raw = member.read(wanted)
            if len(raw) < wanted:
                raise EOFError
        return numbers(header, raw)

    def _open(self, name: str) -> tuple[zipfile.ZipExtFile, Header]:
        """The array's data, ready to be read, and its header."""
        info = self._members[name]
        if info.flag_bits & 1:
            raise NpzError(f"is encrypted in its array {quoted(name)}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(f"packs its array {quoted(name)} in a way that numpy does not use")
        self._metered.allow(MAX_DIRECTORY)
        member = cast("zipfile.ZipExtFile", self._zip.open(info))
        header, length = read_header(member)
        if header.code is None:
            return member, header  # its type will be refused, whatever its size
        wanted = length + header.size * header.item_bytes
        if wanted > MAX_UNPACKED:
            raise NpzError(
                f"has {wanted / (1 << 30):,.1f} GiB in its array {quoted(name)}; "
                f"{MAX_UNPACKED >> 30} GiB is the most"
            )
        ratio = MAX_RATIO if info.compress_type == zipfile.ZIP_DEFLATED else 1
        held = min(info.compress_size, self._file_bytes - info.header_offset)
        # Where the sizes agree, zipfile compares the checksum with the last byte that is read.
        if wanted != info.file_size or wanted > held * ratio:
            raise NpzError(
                f"is cut off or damaged: its array {quoted(name)} should have {wanted:,} bytes, "
                "and has not"
            )
        if wanted > FREE_BYTES and wanted > held * TIGHT_RATIO:
            raise TightError(
                f"unpacks {wanted:,} bytes from {held:,} in its array {quoted(name)}; from "
                f"{FREE_BYTES >> 20} MiB on, {TIGHT_RATIO} times the packed size is the most"
            )
        return member, header


def quoted(name: str) -> str:
    """An array's name as messages show it. It may be anything, and long."""
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'


class _Metered:
    """A file of which no more is read at a time than is allowed, whatever its contents say."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = 0

    def allow(self, size: int) -> None:
        self._left = size

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._left + 1 if size is None or size < 0 else size
        if size is not None and size > self._left:
            raise NpzError("has a table of contents of absurd length")
        raw = self._file.read(wanted)
        self._left -= len(raw)
        if self._left < 0:
            raise NpzError("has a table of contents of absurd length")
        return raw

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


@contextmanager
def _explained(name: str | None = None) -> Generator[None, None, None]:
    """Turns what zipfile raises into NpzError."""
    try:
        yield
    except NpzError:
        raise
    except DAMAGE as problem:
        if name is None:
            raise NpzError("is no .npz file, or is cut off or damaged") from problem
        raise NpzError(f"is damaged in its array {quoted(name)}") from problem


def numbers(header: Header, raw: bytes) -> Sequence[float]:
    """The values of an array, in the order of the file. The header has a ``code``."""
    code = header.code
    assert code is not None
    if code == "e":
        order = ">" if header.is_big_endian else "<"
        return array("f", struct.unpack(f"{order}{header.size}e", raw))
    values = array("B" if code == "?" else code, raw)
    if header.is_big_endian != (sys.byteorder == "big"):
        values.byteswap()
    return values


def read_header(member: BinaryIO | zipfile.ZipExtFile) -> tuple[Header, int]:
    """The header of an .npy file, and how many bytes it has. Errors as in ``DAMAGE``."""
    start = member.read(8)
    if len(start) < 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise ValueError("no array of numpy")
    form = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(form, member.read(struct.calcsize(form)))
    if length > MAX_HEADER:
        raise ValueError("a header of absurd length")
    raw = member.read(length)
    if len(raw) < length:
        raise EOFError
    fields = _literal(raw.decode("utf-8" if start[6] == 3 else "latin-1"))
    return _array(fields), 8 + struct.calcsize(form) + length


def _literal(text: str) -> dict[object, object]:
    """The dictionary that a header is, in Python's notation."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(ast.literal_eval(text))
    except (SyntaxError, TypeError, MemoryError, RecursionError) as problem:
        raise ValueError("no header of numpy") from problem


def _array(fields: dict[object, object]) -> Header:
    shape, fortran_order = fields.get("shape"), fields.get("fortran_order")
    lengths = cast("tuple[object, ...]", shape) if isinstance(shape, tuple) else (None,)
    known = [each for each in lengths if type(each) is int and each >= 0]
    if len(known) < len(lengths) or not isinstance(fortran_order, bool):
        raise ValueError("no header of numpy")
    order, kind, item_bytes = _dtype(fields.get("descr"))
    is_big = order == ">" or (order == "=" and sys.byteorder == "big")
    return Header(kind, item_bytes, is_big, tuple(known), fortran_order)


def _dtype(given: object) -> tuple[str, str, int]:
    """Byte order, kind and size of numpy's "descr". Records have the kind V."""
    if isinstance(given, list | tuple):
        return "|", "O" if _has_objects(cast("Sequence[object]", given)) else "V", 0
    match = _DTYPE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError("no type of numbers")
    return match[1], match[2], int(match[3] or 0)


def _has_objects(given: Sequence[object]) -> bool:
    """True for a record with a field of Python objects, however deep."""
    for each in given:
        if isinstance(each, str):
            match = _DTYPE.fullmatch(each)
            if match is not None and match[2] == "O":
                return True
        elif isinstance(each, list | tuple) and _has_objects(cast("Sequence[object]", each)):
            return True
    return False
