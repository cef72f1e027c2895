"""Checks the chunks of a dataset in an untrusted hdf5 file before hdf5 reads them.

When hdf5 decompresses a chunk, it does not limit the size of the result, so a file of one megabyte
can fill the memory. Therefore each compressed chunk is first decompressed here, at most up to its
declared size.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import h5py

MAX_CHUNKS = 100_000
MAX_SPARE_BYTES = 16 << 20
"""All chunks together may have this size plus four times the size of the dataset's values."""

_CHECKSUM_BYTES = 4
_DEFLATE = h5py.h5z.FILTER_DEFLATE
_KNOWN_FILTERS = {_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def check_chunks(dataset: h5py.Dataset) -> str:
    """Returns the reason to refuse the dataset, for an error message; "" if it may be read.

    If the file is damaged, raises ValueError or an exception of h5py.
    """
    if dataset.chunks is None:
        return ""
    layout = dataset.id.get_create_plist()
    filters = [layout.get_filter(number)[0] for number in range(layout.get_nfilters())]
    if unknown := [code for code in filters if code not in _KNOWN_FILTERS]:
        return f"uses filter {unknown[0]}, not only deflate, shuffle and checksums; refused"
    if filters.count(_DEFLATE) > 1:
        return "is compressed more than once; refused"
    chunk_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    count = dataset.id.get_num_chunks()
    if count > MAX_CHUNKS:
        return f"has {count} chunks; {MAX_CHUNKS} are read"
    if chunk_bytes * max(1, count) > 4 * dataset.nbytes + MAX_SPARE_BYTES:
        return f"has chunks of {chunk_bytes} bytes, which are too large for its data"
    if _DEFLATE in filters:
        chunks: list[Any] = []
        dataset.id.chunk_iter(chunks.append)  # a result other than None would end the iteration
        deflate = filters.index(_DEFLATE)
        if any(_exceeds(dataset, chunk.chunk_offset, chunk_bytes, deflate) for chunk in chunks):
            return "has a chunk that is larger than declared when it is decompressed"
    return ""


def _exceeds(dataset: h5py.Dataset, place: tuple[int, ...], limit: int, deflate: int) -> bool:
    """Whether the chunk at offset ``place`` has more than ``limit`` bytes after decompression.

    ``deflate`` is the index of the deflate filter in the dataset's filters. ValueError if the chunk
    is damaged.
    """
    skipped_filters, content = dataset.id.read_direct_chunk(place)
    if skipped_filters >> deflate & 1:
        return False
    inflate = zlib.decompressobj()
    try:
        size = len(inflate.decompress(content, limit + _CHECKSUM_BYTES + 1))
    except zlib.error as error:
        raise ValueError(f"a chunk cannot be decompressed: {error}") from error
    return size > limit + _CHECKSUM_BYTES


_REFERENCE = struct.Struct("<IQI")
"""A reference to a text: length of the text, address of its heap, index in the heap."""
REFERENCE_BYTES = _REFERENCE.size

_HEAP_HEADER = struct.Struct("<4sB3xQ")
_OBJECT_HEADER = struct.Struct("<HH4xQ")
_MAX_OBJECTS = (1 << 16) - 1


class TextHeaps:
    """The texts in the heaps of an open file. Addresses in the file count from ``base``."""

    def __init__(self, file: BinaryIO, base: int) -> None:
        self._file, self._base = file, base
        self._objects: dict[int, dict[int, tuple[int, int]]] = {}
        """Address of a heap -> index of an object in it -> offset in the file, and size."""

    def read(self, offset: int, max_length: int) -> bytes:
        """Reads the reference at ``offset`` of the file and returns the text to which it points.

        ValueError if the text has more than ``max_length`` bytes or the heap is damaged.
        """
        length, address, target = _unpack(_REFERENCE, self._file, offset)
        if length > max_length:
            raise ValueError(f"the text has {length} bytes")
        if length == 0:
            return b""
        if address not in self._objects:
            self._objects[address] = dict(self._list_objects(address))
        place, size = self._objects[address].get(target, (0, -1))
        if length > size:
            raise ValueError("the text is missing from its heap")
        return _read(self._file, place, length)

    def _list_objects(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        place = self._base + address
        signature, version, heap_size = _unpack(_HEAP_HEADER, self._file, place)
        if signature != b"GCOL" or version != 1:
            raise ValueError("the address of the text does not lead to a heap")
        end = place + heap_size
        place += _HEAP_HEADER.size
        for _ in range(_MAX_OBJECTS):
            if place + _OBJECT_HEADER.size > end:
                return
            number, _, size = _unpack(_OBJECT_HEADER, self._file, place)
            place += _OBJECT_HEADER.size
            if number == 0:  # object 0 is the free space at the end of the heap
                return
            yield number, (place, size)
            place += -(-size // 8) * 8


def _unpack(layout: struct.Struct, file: BinaryIO, offset: int) -> tuple:
    return layout.unpack(_read(file, offset, layout.size))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset + size > file.seek(0, io.SEEK_END):
        raise ValueError("an address lies outside the file")
    file.seek(offset)
    return file.read(size)
