"""The hdf5 reader, safe for untrusted files.

The reader refuses everything that can lead to another file or place: soft, external and
user-defined links, external storage and virtual datasets. Before it reads the values of a dataset,
it checks the declared size and the chunks.
"""

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

from netdesc.exchange.errors import (
    LayerError,
    NetFileAccessError,
    NetFileError,
    describe_first_wrong,
)
from netdesc.exchange.hdf5_checks import REFERENCE_BYTES, TextHeaps, check_chunks
from netdesc.hardware.integers import Integers

MAX_FILE_BYTES = 1 << 30
MAX_VALUES = 1 << 25
"""The most numbers in all datasets of a file together, or half the file's bytes if that is more.

An import needs 20 bytes of memory for each. Without this limit, a small file of compressed zeros
could fill the memory.
"""
MAX_TEXT_LENGTH = 256
LFS_POINTER = b"version https://git-lfs"
MAX_GROUP_ENTRIES = 20_000

# The exceptions that h5py raises for damaged files.
_H5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError)


@dataclass
class _OpenFile:
    path: Path
    values_left: int
    """How many of the ``MAX_VALUES`` numbers may still be read."""
    base: int
    """The offset in the file of hdf5's address 0: the length of the user block."""


@contextlib.contextmanager
def open_net(path: str | Path) -> "Iterator[Hdf5Group]":
    """Yields the root group. NetFileError if the file, or a layer in the block, is wrong."""
    path = Path(path)
    _check_file(path)
    try:
        file = h5py.File(path, "r", locking=False)
    except _H5_ERRORS as error:
        raise NetFileError(path, f"is damaged or truncated ({_cause(error)})") from error
    with file:
        try:
            values = max(MAX_VALUES, path.stat().st_size // 2)
            opened = _OpenFile(path, values, file.userblock_size)
            yield Hdf5Group(opened, file, layer=None, below="")
        except LayerError as error:
            raise NetFileError(path, error.problem, error.layer, error.dataset) from error


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise NetFileError(path, "is not a regular file")
        if size > MAX_FILE_BYTES:
            raise NetFileError(path, f"is larger than {MAX_FILE_BYTES} bytes")
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        problem = "there is no such file" if is_missing else f"cannot be read: {_cause(error)}"
        raise NetFileAccessError(path, problem) from error
    if start == LFS_POINTER:
        raise NetFileError(path, "is a pointer of Git LFS, not the file; fetch it: git lfs pull")
    if not h5py.is_hdf5(path):
        raise NetFileError(path, "this is not an hdf5 file, as .net and .nir files are")


def _cause(error: BaseException) -> str:
    """Returns the system's message, or else the text in brackets at the end of h5py's message."""
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror
    text = str(error).strip("'\"") or type(error).__name__
    inner = re.search(r"\((.*)\)$", text, re.DOTALL)
    return (inner.group(1) if inner else text).partition("\n")[0][:200]


class Hdf5Group:
    """An hdf5 group, with its place in the file for error messages.

    ``layer`` is the index of the layer that contains the group, or None outside of layers.
    ``below`` is the path from this layer (or from the root) to the group, such as ``neuron/``; it
    is "" for the layer itself and for the root.
    """

    def __init__(self, file: _OpenFile, handle: h5py.Group, layer: int | None, below: str) -> None:
        self._file, self._handle = file, handle
        self._layer, self._below = layer, below
        # What is opened and checked once, because readers and warnings ask for it several times.
        self._datasets: dict[str, h5py.Dataset] = {}
        self._groups: dict[tuple[str, int | None], Hdf5Group] = {}

    def error(self, dataset: str, problem: str) -> NetFileError:
        place = self._below + escape_name(dataset) if dataset else self._below.rstrip("/")
        return NetFileError(self._file.path, problem, self._layer, place)

    @contextlib.contextmanager
    def explain(self, dataset: str) -> Iterator[None]:
        """Converts an exception of h5py in the block to a NetFileError that names ``dataset``."""
        try:
            yield
        except NetFileError:
            raise
        except _H5_ERRORS as error:
            raise self.error(dataset, f"is damaged ({_cause(error)})") from error

    def names(self) -> list[str]:
        """Returns the names of all entries. A name that is not UTF-8 is decoded as Latin-1."""
        with self.explain(""):
            count = len(self._handle)
            if count > MAX_GROUP_ENTRIES:
                raise self.error("", f"has {count} entries; {MAX_GROUP_ENTRIES} are read")
            names: list[Any] = list(self._handle)
        return [name if isinstance(name, str) else name.decode("latin-1") for name in names]

    def has(self, name: str) -> bool:
        with self.explain(name):
            return self._handle.id.links.exists(name.encode())  # `in` would follow links

    def group(self, name: str, layer: int | None = None) -> "Hdf5Group":
        """Returns the group ``name``; ``layer`` is the layer's index if the group is a layer."""
        if (name, layer) not in self._groups:
            child = self._child(name)
            if not isinstance(child, h5py.Group):
                raise self.error(name, "is not a group")
            place = (self._layer, f"{self._below}{name}/") if layer is None else (layer, "")
            self._groups[name, layer] = Hdf5Group(self._file, child, *place)
        return self._groups[name, layer]

    def is_group(self, name: str) -> bool:
        return isinstance(self._child(name), h5py.Group)

    def is_text(self, name: str) -> bool:
        """Whether a dataset holds text. NetFileError if there is no such dataset."""
        return h5py.check_string_dtype(self._dataset(name).dtype) is not None

    def text(self, name: str, longest: int = MAX_TEXT_LENGTH) -> str:
        """Reads a text from a dataset of one string, which has fixed or variable length.

        NetFileError if the dataset is not one printable text of at most ``longest`` bytes.
        """
        texts = self.texts(name, 1, longest)
        if len(texts) != 1:
            raise self.error(name, "is not one short text")
        return texts[0]

    def texts(self, name: str, most: int, longest: int = MAX_TEXT_LENGTH) -> list[str]:
        """Reads the texts of an array, in the order of its flat form. The errors of ``text``, and
        one if there are more than ``most``.
        """
        dataset = self._dataset(name)
        with self.explain(name):
            string = h5py.check_string_dtype(dataset.dtype)
            if string is None:
                raise self.error(name, f"holds {_type_name(dataset.dtype)}, not text")
            if dataset.size is None or dataset.size > most or (string.length or 0) > longest:
                what = "one short text" if most == 1 else f"at most {most} short texts"
                raise self.error(name, f"is not {what}")
            encoded = self._read_texts(name, dataset, string.length, longest)
            texts = [text.decode() for text in encoded]
        for text in texts:
            if len(text.encode()) > longest or not text.isprintable():
                raise self.error(name, "is not one short text" if most == 1 else "is damaged")
        return texts

    def _read_texts(
        self, name: str, dataset: h5py.Dataset, width: int | None, longest: int
    ) -> list[bytes]:
        if width is not None:
            return [bytes(text) for text in np.asarray(dataset[()]).reshape(-1)]
        offset = dataset.id.get_offset()
        if offset is None:
            raise self.error(name, "is not stored contiguously")
        with self._file.path.open("rb") as file:
            heaps = TextHeaps(file, self._file.base)
            places = (offset + REFERENCE_BYTES * index for index in range(dataset.size or 0))
            return [heaps.read(place, longest).rstrip(b"\0") for place in places]

    def shape(self, path: str) -> tuple[int, ...]:
        """Returns the shape of a dataset, whose numbers are not read."""
        group, name = self.split(path)
        return group._dataset(name).shape or ()

    def split(self, path: str) -> "tuple[Hdf5Group, str]":
        """Returns the group of a dataset such as ``weight/real``, and the name in it."""
        folder, _, name = path.rpartition("/")
        return (self.group(folder) if folder else self), name

    def integers(self, name: str) -> Integers:
        """Reads numbers of any type. NetFileError if one is not a 32-bit integer."""
        values = self._read(name)
        if values.dtype.kind == "f":
            values = values.astype(np.promote_types(values.dtype, np.float32), copy=False)
            self._require(name, values, np.isfinite(values), "a number")
            self._require(name, values, values == np.trunc(values), "a whole number")
        is_valid = (values >= -(2**31)) & (values < 2**31)
        self._require(name, values, is_valid, "within 32 bits")
        return values.astype(np.int32)

    def reals(self, name: str) -> NDArray[np.floating]:
        """Reads numbers of any type: float32 as they are, others as float64."""
        values = self._read(name)
        return values if values.dtype == np.float32 else values.astype(np.float64)

    def integer(self, name: str, default: int | None = None) -> int:
        """Reads one number; ``default``, if it is not None, stands for a missing dataset."""
        if default is not None and not self.has(name):
            return default
        return int(self._single(name, self.integers(name)))

    def number(self, name: str) -> float:
        """Reads one number of any type. NetFileError if it is infinite or NaN."""
        values = self._read(name)
        self._require(name, values, np.isfinite(values), "a finite number")
        return float(self._single(name, values))

    def _single(self, name: str, values: NDArray) -> Any:
        if values.size != 1:
            raise self.error(name, f"has shape {list(values.shape)}, not one number")
        return values.item()

    def _read(self, name: str) -> NDArray:
        """Reads a dataset of numbers, if the file's budget allows it."""
        dataset = self._dataset(name)
        with self.explain(name):
            if dataset.dtype.kind not in "iufb" or dataset.dtype.itemsize > 8:
                raise self.error(name, f"holds {_type_name(dataset.dtype)}, not numbers")
            if dataset.shape is None:
                raise self.error(name, "holds nothing")
            size = math.prod(dataset.shape)
            if size > self._file.values_left:
                raise self.error(name, f"has shape {list(dataset.shape)}, which is too large")
            if size and not dataset.id.get_storage_size():
                raise self.error(name, "was never written")
            self._file.values_left -= size
            return np.asarray(dataset[()])

    def _require(self, name: str, values: NDArray, is_valid: NDArray[np.bool_], rule: str) -> None:
        if not np.all(is_valid):
            raise self.error(name, f"{describe_first_wrong(values, is_valid)}, not {rule}")

    def _dataset(self, name: str) -> h5py.Dataset:
        if name in self._datasets:
            return self._datasets[name]
        child = self._child(name)
        if not isinstance(child, h5py.Dataset):
            raise self.error(name, "is not a dataset")
        with self.explain(name):
            layout = child.id.get_create_plist()
            if layout.get_layout() == h5py.h5d.VIRTUAL:
                raise self.error(name, "is a virtual dataset, which may read other files; refused")
            if layout.get_external_count():
                raise self.error(name, "is stored in another file; refused")
            if problem := check_chunks(child):
                raise self.error(name, problem)
        self._datasets[name] = child
        return child

    def _child(self, name: str) -> h5py.Group | h5py.Dataset | h5py.Datatype:
        with self.explain(name):
            if not self.has(name):
                raise self.error(name, "is missing")
            link = self._handle.get(name, getlink=True)
            problem = _LINK_PROBLEMS.get(type(link), "is a link of an unknown kind; refused")
            if problem:
                raise self.error(name, problem)
            return self._handle[name]


def _type_name(dtype: np.dtype) -> str:
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    return "references or lists" if dtype.kind == "O" else str(dtype)


def escape_name(name: str) -> str:
    """Shortens a name to 60 characters and escapes it to ASCII, so that terminals can show it."""
    return name[:60].encode("unicode_escape").decode()


_LINK_PROBLEMS: dict[type, str] = {
    h5py.HardLink: "",
    h5py.SoftLink: "is a soft link; refused",
    h5py.ExternalLink: "is a link into another file; refused",
}
