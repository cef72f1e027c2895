"""Where arrays are: the interface of all files of arrays, and arrays that have a file each."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from netdesc.description.files.npy import HEADER_ERRORS, Header, numbers, read_header
from netdesc.description.source import file_size

MAX_ARRAY_BYTES = 4 << 30
"""The largest size of a compressed array, which training keeps in memory."""
MAX_RESIDENT_BYTES = 1 << 30
"""Training reads larger arrays batch by batch if their file does not compress them."""
MAX_READ_BYTES = 1 << 20
"""Largest number of bytes in one read. zipfile reads the whole table of contents in one read, so
this limit allows thousands of arrays.
"""

DAMAGE_ERRORS = (*HEADER_ERRORS, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""The exceptions of parsers and of ``zipfile`` for a damaged file or another format."""

Parsed = TypeVar("Parsed")


class ArrayFileError(ValueError):
    """A file of arrays or one of its arrays cannot be read.

    The message is a predicate, such as "is damaged", which follows the name of the file.
    """


class Location(NamedTuple):
    """Where the values of an array begin in a file that holds them as they are in memory."""

    path: Path
    offset: int


class OpenedArray(NamedTuple):
    """An open file of one array. ``offset`` is where its values begin, None if compressed."""

    header: Header
    offset: int | None
    npy: IO[bytes]
    """The array as an .npy file."""


class ArraySource:
    """A file or a folder of arrays. ArrayFileError is the only exception of its methods.

    ``names`` are those of the arrays. Subclasses say in which files they are, and open one.
    """

    names: list[str]

    def header(self, name: str) -> Header:
        """Returns type and shape of an array, after checking that the file can hold its values."""
        return self._open(name, lambda opened: opened.header)

    def read(self, name: str, parse: Callable[[IO[bytes]], Parsed]) -> Parsed:
        """Opens an array as an .npy file and returns ``parse(file)``.

        An example of ``parse`` is ``numpy.lib.format.read_array``. Arrays of Python objects and of
        records are refused.
        """

        def parse_numbers(opened: OpenedArray) -> Parsed:
            where = f"in its array {quote_name(name)}"
            if opened.header.kind == "O":
                raise ArrayFileError(
                    f"holds pickled Python objects {where}, which netdesc never loads"
                )
            if opened.header.kind == "V":
                raise ArrayFileError(f"holds records {where}")
            return parse(opened.npy)

        return self._open(name, parse_numbers)

    def location(self, name: str) -> Location | None:
        """Returns where the values of an array are; None if they are compressed."""
        offset = self._open(name, lambda opened: opened.offset)
        return None if offset is None else Location(self._path(name), offset)

    def _path(self, name: str) -> Path:
        """Returns the file that holds an array."""
        raise NotImplementedError

    def _opened(self, name: str) -> AbstractContextManager[OpenedArray]:
        """Opens an array of ``names`` after checking that its file can hold it.

        Raises ArrayFileError, or one of ``DAMAGE_ERRORS``.
        """
        raise NotImplementedError

    def _open(self, name: str, use: Callable[[OpenedArray], Parsed]) -> Parsed:
        """Opens an array and returns ``use(opened)``."""
        if name not in self.names:
            known = ", ".join(each for each in self.names[:10] if each.isprintable())
            raise ArrayFileError(f"has no array {quote_name(name)}; its arrays: {known or 'none'}")
        try:
            with self._opened(name) as opened:
                return use(opened)
        except ArrayFileError:
            raise
        except DAMAGE_ERRORS as problem:
            why = getattr(problem, "strerror", None) or "it is cut off or has another format"
            raise ArrayFileError(f"is damaged in its array {quote_name(name)}: {why}") from problem


def is_mapped(source: ArraySource, name: str) -> bool:
    """Whether training reads an array batch by batch. ArrayFileError if the array is damaged."""
    return source.header(name).bytes > MAX_RESIDENT_BYTES and source.location(name) is not None


def array_values(source: ArraySource, name: str) -> Sequence[float]:
    """Returns the numbers of an array, whose header has a ``code``, in the order of the file."""
    return source.read(name, _values)


def quote_name(name: str) -> str:
    """Returns the array's name in quotes, cut to 40 characters."""
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'


class ArrayFiles(ArraySource):
    """Arrays with a file each.

    ``open_array`` opens a file, after checking that it can hold the array.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        open_array: Callable[[Path], AbstractContextManager[OpenedArray]],
    ) -> None:
        self.names = list(paths)
        self._paths = paths
        self._open_array = open_array

    def _path(self, name: str) -> Path:
        return self._paths[name]

    def _opened(self, name: str) -> AbstractContextManager[OpenedArray]:
        return self._open_array(self._paths[name])


def npy_folder(folder: Path) -> ArrayFiles:
    """Returns the arrays of the .npy files in a folder. Raises OSError."""
    return ArrayFiles({each.stem: each for each in sorted(folder.glob("*.npy"))}, _open_npy)


def npy_file(path: Path) -> ArrayFiles:
    """Returns the array of an .npy file, under the stem of its name."""
    return ArrayFiles({path.stem: path}, _open_npy)


@contextmanager
def _open_npy(path: Path) -> Generator[OpenedArray, None, None]:
    size = file_size(path)
    with path.open("rb") as file:
        header, start = read_header(file)
        if header.kind not in "OV" and start + header.bytes != size:
            raise EOFError
        file.seek(0)
        yield OpenedArray(header, start, file)


def _values(member: IO[bytes]) -> Sequence[float]:
    header, _ = read_header(member)
    raw = b"".join(iter(lambda: member.read(MAX_READ_BYTES), b""))
    if len(raw) != header.bytes:
        raise EOFError
    return numbers(header, raw)
