"""Reads arrays from .npz files, .npy files and folders of .npy files: headers first, then values.

The declared size of an array is accepted only if the file has it. Arrays of Python objects are
refused, because loading their pickles could run any program.
"""

import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_errors import DataError
from netdesc.description.source import file_size
from netdesc.events.npy_header import DAMAGE_ERRORS, ArrayHeader, read_header

MAX_UNPACKED_BYTES = 4 << 30
"""The largest array that a file may hold compressed. Training keeps it in memory."""
MAX_RESIDENT_BYTES = 64 << 20
"""Larger arrays are mapped to memory and read batch by batch if their file does not compress them.
"""

_LOCAL_HEADER_BYTES = 30  # the length of a zip member's header without its name and extra field


class ArrayFileError(ValueError):
    """A file of arrays or one of its arrays cannot be read.

    The message is a predicate, such as "is damaged", which follows the name of the file.
    """


class UnpackedSizeError(ArrayFileError):
    """An array is compressed, and unpacked it has more than ``MAX_UNPACKED_BYTES``."""


class ArraySource(Protocol):
    """A file or a folder of arrays with ``names``. Its methods raise only ArrayFileError."""

    @property
    def names(self) -> Sequence[str]: ...

    def header(self, name: str) -> ArrayHeader:
        """Returns type and shape of an array, after checking that the file can hold its values."""
        ...

    def read(self, name: str) -> NDArray:
        """Returns an array of numbers, which may be mapped to memory."""
        ...

    def is_mapped(self, name: str) -> bool:
        """Whether ``read`` maps an array to memory."""
        ...


class OpenedArray(NamedTuple):
    """An array as an open .npy file. ``start`` is where its values begin in ``path``; None if they
    are compressed.
    """

    npy: IO[bytes]
    header: ArrayHeader
    path: Path
    start: int | None


class ArrayFiles:
    """Arrays by name. ``open_array`` opens one as an .npy file, after checking its size."""

    def __init__(
        self, names: Sequence[str], open_array: Callable[[str], AbstractContextManager[OpenedArray]]
    ) -> None:
        self.names = names
        self._open_array = open_array

    def header(self, name: str) -> ArrayHeader:
        with self._opened(name) as opened:
            return opened.header

    def is_mapped(self, name: str) -> bool:
        with self._opened(name) as opened:
            return opened.start is not None and opened.header.bytes > MAX_RESIDENT_BYTES

    def read(self, name: str) -> NDArray:
        with self._opened(name) as opened:
            npy, header, path, start = opened
            if not header.holds_numbers:
                what = f"numbers in its array {quote_name(name)}"
                raise ArrayFileError(f"holds no {what}, or wider ones than netdesc reads")
            if start is None or header.bytes <= MAX_RESIDENT_BYTES:
                npy.seek(0)
                return np.lib.format.read_array(npy, allow_pickle=False)
            order: Literal["C", "F"] = "F" if header.fortran_order else "C"
            return np.asarray(np.memmap(path, header.dtype, "r", start, header.shape, order))

    @contextmanager
    def _opened(self, name: str) -> Iterator[OpenedArray]:
        if name not in self.names:
            listed = ", ".join(each for each in self.names[:10] if each.isprintable())
            raise ArrayFileError(f"has no array {quote_name(name)}; its arrays: {listed or 'none'}")
        with array_damage(f"in its array {quote_name(name)}"), self._open_array(name) as opened:
            yield opened


@contextmanager
def array_damage(where: str = "") -> Iterator[None]:
    """Converts what a damaged file raises to ArrayFileError."""
    try:
        yield
    except ArrayFileError:
        raise
    except DAMAGE_ERRORS as error:
        reason = getattr(error, "strerror", None) or "it is cut off or has another format"
        raise ArrayFileError(f"is damaged{where and f' {where}'}: {reason}") from error


@contextmanager
def open_arrays(path: Path) -> Iterator[ArraySource]:
    """Opens an .npz file, an .npy file, or a folder of them. Raises OSError, and ArrayFileError."""
    if path.is_dir():
        paths = {each.stem: each for each in sorted(path.glob("*.npy"))}
        yield ArrayFiles(list(paths), lambda name: _open_npy(paths[name]))
        return
    try:
        file_size(path)  # a pipe is not opened, which would wait for its writer
    except ValueError as error:
        raise ArrayFileError(f"cannot be read: {error}") from error
    if path.suffix.lower() == ".npy":
        yield ArrayFiles([path.stem], lambda name: _open_npy(path))
        return
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGE_ERRORS as error:
            raise ArrayFileError("is not an .npz file, or it is cut off or damaged") from error
        members = [each for each in archive.namelist() if each.endswith(".npy")]
        names = [each.removesuffix(".npy") for each in members]
        yield ArrayFiles(names, lambda name: _open_member(file, archive, name))


@contextmanager
def _open_npy(path: Path) -> Iterator[OpenedArray]:
    size = file_size(path)
    with path.open("rb") as file:
        header = read_header(file)
        _require_size(header, size)
        yield OpenedArray(file, header, path, header.offset)


@contextmanager
def _open_member(file: BinaryIO, archive: zipfile.ZipFile, name: str) -> Iterator[OpenedArray]:
    info, start = archive.getinfo(f"{name}.npy"), None
    is_packed = info.compress_type != zipfile.ZIP_STORED
    if is_packed and info.compress_type != zipfile.ZIP_DEFLATED:
        raise ArrayFileError(f"compresses its array {quote_name(name)} as numpy does not")
    if is_packed and info.file_size > MAX_UNPACKED_BYTES:
        raise unpacked_size_error(name, info.file_size)
    with archive.open(info) as member:
        header = read_header(member)
        _require_size(header, info.file_size)
        if not is_packed:
            file.seek(info.header_offset)
            name_and_extra = sum(struct.unpack("<HH", file.read(_LOCAL_HEADER_BYTES)[-4:]))
            start = info.header_offset + _LOCAL_HEADER_BYTES + name_and_extra + header.offset
        # zipfile verifies the checksum when it reads the last byte.
        yield OpenedArray(member, header, Path(file.name), start)


def _require_size(header: ArrayHeader, size: int) -> None:
    """Raises EOFError unless a file of ``size`` bytes holds the values; pickles have any size."""
    if not header.dtype.hasobject and header.offset + header.bytes != size:
        raise EOFError


@contextmanager
def array_errors(path: Path) -> Iterator[None]:
    """Converts ArrayFileError and OSError to DataError, whose message begins with ``path``."""
    try:
        yield
    except ArrayFileError as error:
        raise DataError(f"{path} {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror or error}") from error


def read_array(path: Path, name: str) -> NDArray:
    """Reads the array ``name`` of a file. DataError if it or the file cannot be read."""
    with array_errors(path), open_arrays(path) as source:
        return source.read(name)


def unpacked_size_error(name: str, size: int) -> UnpackedSizeError:
    return UnpackedSizeError(
        f"has {size / (1 << 30):,.1f} GiB in its compressed array {quote_name(name)}; at most "
        f"{MAX_UNPACKED_BYTES >> 30} GiB are possible, and any number if it is not compressed"
    )


def quote_name(name: str) -> str:
    """Returns the array's name in quotes, cut to 40 characters."""
    return f'"{name if len(name) <= 40 else name[:39] + "…"}"'
