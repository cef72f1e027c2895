"""Texts of variable length in hdf5 files, read without hdf5's library.

The library never returns from some damaged global heaps (seen with 2.0), so the one text that needs
a heap is looked up here. See the hdf5 file format specification, "Disk Format: Level 1E - Global
Heap".
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_REFERENCE = struct.Struct("<IQI")
"""What a dataset holds of a text: its length, the address of its heap, its number in there."""

_HEAP = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HH4xQ")


def heap_text(file: BinaryIO, offset: int, base: int, longest: int) -> bytes:
    """The text to which the reference at ``offset`` points; addresses count from ``base``.

    ValueError where it is longer than ``longest`` or the heap is damaged.
    """
    length, address, wanted = _unpack(_REFERENCE, file, offset)
    if length > longest:
        raise ValueError(f"the text has {length} bytes")
    place = base + address
    signature, version, heap_size = _unpack(_HEAP, file, place)
    if signature != b"GCOL" or version != 1:
        raise ValueError("the heap of texts is not where it should be")
    end = place + heap_size
    place += _HEAP.size
    while place + _OBJECT.size <= end:
        number, _, size = _unpack(_OBJECT, file, place)
        place += _OBJECT.size
        if number == wanted and length <= size:
            return _read(file, place, length)
        if number == 0:  # the free rest of the heap
            break
        place += -(-size // 8) * 8
    raise ValueError("the text is missing from its heap")


def _unpack(form: struct.Struct, file: BinaryIO, offset: int) -> tuple:
    return form.unpack(_read(file, offset, form.size))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 1 << 62:
        raise ValueError("an address lies outside the file")
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise ValueError("an address lies outside the file")
    return data
