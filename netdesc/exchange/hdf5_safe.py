"""Access to hdf5 files that nobody vouches for.

Nothing outside the file is ever opened (soft, external and user-defined links, external storage and
virtual datasets are refused), and nothing is read before its declared size is checked.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.errors import LayerError, NetFileError
from netdesc.exchange.hdf5_heap import heap_text

LARGEST_FILE = 1 << 30
BUDGET = 1 << 30
"""Bytes that all datasets of a file may declare together."""
LONGEST_TEXT = 256
LARGEST_GROUP = 20_000
"""Links in one group."""

# What h5py makes of hdf5's own errors on damaged files.
_H5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError)


@dataclass
class _Source:
    path: Path
    budget: int
    base: int
    """Where hdf5's addresses count from: files may begin with a block of other bytes."""


@contextlib.contextmanager
def open_net(path: str | Path) -> Iterator[Group]:
    """The root group of an hdf5 file, read-only. NetFileError; a LayerError inside becomes one."""
    path = Path(path)
    _check_file(path)
    try:
        file = h5py.File(path, "r")
    except _H5_ERRORS as error:
        raise NetFileError(path, f"is damaged or truncated ({_cause(error)})") from error
    with file:
        try:
            yield Group(_Source(path, BUDGET, file.userblock_size), file, layer=None, below="")
        except LayerError as error:
            raise NetFileError(path, error.problem, error.layer, error.dataset) from error


def _check_file(path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        problem = "there is no such file" if is_missing else f"cannot be read: {_cause(error)}"
        raise NetFileError(path, problem) from error
    if not path.is_file():
        raise NetFileError(path, "is not a regular file")
    if path.stat().st_size > LARGEST_FILE:
        raise NetFileError(path, f"is larger than {LARGEST_FILE} bytes")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise NetFileError(path, f"cannot be read: {_cause(error)}") from error
    if not h5py.is_hdf5(path):
        raise NetFileError(path, "this is not an hdf5 file, as .net files are")


def _cause(error: BaseException) -> str:
    """The part of h5py's message that says something: what stands in its last brackets."""
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror
    text = str(error).strip("'\"") or type(error).__name__
    inner = re.search(r"\((.*)\)$", text, re.DOTALL)
    return (inner.group(1) if inner else text).partition("\n")[0][:200]


class Group:
    """One hdf5 group. ``layer`` and ``below`` say where it is, for messages."""

    def __init__(self, source: _Source, handle: h5py.Group, layer: int | None, below: str) -> None:
        self._source = source
        self._handle = handle
        self._layer = layer
        self._below = below

    def error(self, dataset: str, problem: str) -> NetFileError:
        place = self._below + plain(dataset) if dataset else self._below.rstrip("/")
        return NetFileError(self._source.path, problem, self._layer, place)

    @contextlib.contextmanager
    def explain(self, dataset: str) -> Iterator[None]:
        """Names ``dataset`` in whatever hdf5 finds wrong inside the block."""
        try:
            yield
        except NetFileError:
            raise
        except _H5_ERRORS as error:
            raise self.error(dataset, f"is damaged ({_cause(error)})") from error

    def names(self) -> list[str]:
        """Those of all entries; of a name that is not UTF-8 each byte is taken for a letter."""
        with self.explain(""):
            if len(self._handle) > LARGEST_GROUP:
                raise self.error("", f"has {len(self._handle)} entries; {LARGEST_GROUP} are read")
            names: list[Any] = list(self._handle)
        return [name if isinstance(name, str) else name.decode("latin-1") for name in names]

    def has(self, name: str) -> bool:
        with self.explain(name):
            return self._handle.id.links.exists(name.encode())  # `in` would follow links

    def group(self, name: str, layer: int | None = None) -> Group:
        """The group ``name``; given ``layer``, messages from inside count from that layer."""
        child = self._child(name)
        if not isinstance(child, h5py.Group):
            raise self.error(name, "is not a group")
        if layer is not None:
            return Group(self._source, child, layer, "")
        return Group(self._source, child, self._layer, f"{self._below}{name}/")

    def is_group(self, name: str) -> bool:
        return isinstance(self._child(name), h5py.Group)

    def text(self, name: str) -> str:
        """A scalar string or an array of one; fixed width or variable length, ASCII."""
        dataset = self._dataset(name)
        with self.explain(name):
            string = h5py.check_string_dtype(dataset.dtype)
            if string is None:
                raise self.error(name, f"is {dataset.dtype}, not text")
            if dataset.size != 1 or (string.length or 0) > LONGEST_TEXT:
                raise self.error(name, "is not one short text")
            text = self._read_text(name, dataset, string.length).decode("ascii")
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise self.error(name, "is not one short text")
        return text

    def _read_text(self, name: str, dataset: h5py.Dataset, width: int | None) -> bytes:
        if width is not None:
            value: Any = dataset[()]
            return bytes(value.item() if isinstance(value, np.ndarray) else value)
        offset = dataset.id.get_offset()
        if offset is None:
            raise self.error(name, "is not laid out as one piece")
        with self._source.path.open("rb") as file:
            return heap_text(file, offset, self._source.base, LONGEST_TEXT).rstrip(b"\0")

    def integers(self, name: str) -> NDArray[np.int32]:
        """Numbers that are whole and fit 32 bits, in whichever type the file holds them."""
        values = self._numbers(name)
        if values.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                self._require(name, values, np.isfinite(values), "a number")
                self._require(name, values, values == np.trunc(values), "a whole number")
        limits = np.iinfo(np.int32)
        inside = (values >= limits.min) & (values <= limits.max)
        self._require(name, values, inside, "within 32 bits")
        return values.astype(np.int32)

    def integer(self, name: str) -> int:
        values = self.integers(name)
        if values.size != 1:
            raise self.error(name, f"has shape {list(values.shape)}, not one number")
        return int(values.item())

    def _numbers(self, name: str) -> NDArray:
        dataset = self._dataset(name)
        with self.explain(name):
            if dataset.dtype.kind not in "iufb" or dataset.dtype.itemsize > 8:
                raise self.error(name, f"is {dataset.dtype}, not numbers")
            if dataset.shape is None:
                raise self.error(name, "holds nothing")
            size = math.prod(dataset.shape) * dataset.dtype.itemsize
            if size > self._source.budget:
                raise self.error(name, f"has shape {list(dataset.shape)}, which is too large")
            if size and not dataset.id.get_storage_size():
                raise self.error(name, "was never written")
            self._source.budget -= size
            return np.asarray(dataset[()])

    def _require(self, name: str, values: NDArray, right: NDArray, what: str) -> None:
        if not np.all(right):
            wrong = np.argwhere(~np.asarray(right))[0].tolist()
            place = f"{wrong} " if wrong else ""
            raise self.error(name, f"{place}is {values[tuple(wrong)]}, not {what}")

    def _dataset(self, name: str) -> h5py.Dataset:
        child = self._child(name)
        if not isinstance(child, h5py.Dataset):
            raise self.error(name, "is not a dataset")
        with self.explain(name):
            layout = child.id.get_create_plist()
            if layout.get_layout() == h5py.h5d.VIRTUAL:
                raise self.error(
                    name, "is a virtual dataset, which could read other files; refused"
                )
            if layout.get_external_count():
                raise self.error(name, "is stored in another file; refused")
        return child

    def _child(self, name: str) -> h5py.Group | h5py.Dataset | h5py.Datatype:
        with self.explain(name):
            if not self.has(name):
                raise self.error(name, "is missing")
            link = self._handle.get(name, getlink=True)
            refusal = _LINKS.get(type(link), "is a link of an unknown kind; refused")
            if refusal:
                raise self.error(name, refusal)
            return self._handle[name]


def plain(name: str) -> str:
    """A name out of a file, short and in ASCII, so that any terminal can show it."""
    return name[:60].encode("unicode_escape").decode()


_LINKS: dict[type, str] = {
    h5py.HardLink: "",
    h5py.SoftLink: "is a soft link; refused",
    h5py.ExternalLink: "is a link into another file; refused",
}
