"""Reads a text of variable length from an hdf5 file without the hdf5 library.

hdf5 stores such texts in a global heap, and version 2.0 of the library hangs on some damaged heaps.
The hdf5 file format specification describes the layout ("Disk Format: Level 1E - Global Heap").
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

_REFERENCE = struct.Struct("<IQI")
"""A reference to a text: length of the text, address of its heap, index in the heap."""

_HEAP_HEADER = struct.Struct("<4sB3xQ")
_OBJECT_HEADER = struct.Struct("<HH4xQ")


def read_heap_text(file: BinaryIO, offset: int, base: int, max_length: int) -> bytes:
    """Reads the reference at ``offset`` of the file and returns the text to which it points.

    Addresses in the file count from ``base``. ValueError if the text has more than ``max_length``
    bytes or the heap is damaged.
    """
    length, address, target = _unpack(_REFERENCE, file, offset)
    if length > max_length:
        raise ValueError(f"the text has {length} bytes")
    place = base + address
    signature, version, heap_size = _unpack(_HEAP_HEADER, file, place)
    if signature != b"GCOL" or version != 1:
        raise ValueError("the address of the text does not lead to a heap")
    end = place + heap_size
    place += _HEAP_HEADER.size
    while place + _OBJECT_HEADER.size <= end:
        number, _, size = _unpack(_OBJECT_HEADER, file, place)
        place += _OBJECT_HEADER.size
        if number == target and length <= size:
            return _read(file, place, length)
        if number == 0:  # object 0 is the free space at the end of the heap
            break
        place += -(-size // 8) * 8
    raise ValueError("the text is missing from its heap")


def _unpack(layout: struct.Struct, file: BinaryIO, offset: int) -> tuple:
    return layout.unpack(_read(file, offset, layout.size))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset + size > file.seek(0, io.SEEK_END):
        raise ValueError("an address lies outside the file")
    file.seek(offset)
    return file.read(size)
