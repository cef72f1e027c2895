"""PNG files from arrays, with nothing but zlib: https://www.w3.org/TR/png-3/."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netdesc.events.palette import Colour

LARGEST_PICTURE = 100_000_000
"""Pixels. Programs that show pictures give up soon after."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3


def png(index_HW: NDArray[np.uint8], colours: Sequence[Colour | None]) -> bytes:
    """A picture whose pixels number ``colours``; None is transparent. At most 256 colours."""
    height, width = index_HW.shape
    assert 0 < height * width <= LARGEST_PICTURE
    used = np.flatnonzero(np.bincount(index_HW.ravel(), minlength=len(colours)))
    assert used[-1] < len(colours)
    renumbered = np.zeros(len(colours), np.uint8)
    renumbered[used] = np.arange(len(used))
    palette = [colours[number] for number in used.tolist()]
    depth = next(bits for bits in (1, 2, 4, 8) if len(palette) <= 1 << bits)
    # Each line starts with the number of its filter; 0 is none, which suits pictures of few dots.
    lines = np.pad(_packed(renumbered[index_HW], depth), ((0, 0), (1, 0)))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _PALETTE, 0, 0, 0)),
        (b"PLTE", b"".join(bytes(colour or (0, 0, 0)) for colour in palette)),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    ]
    if None in palette:
        opacity = bytes(0 if colour is None else 255 for colour in palette)
        chunks.insert(2, (b"tRNS", opacity))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def _packed(index_HW: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    """Several pixels a byte, the leftmost in the highest bits."""
    height, width = index_HW.shape
    in_a_byte = 8 // depth
    padded = np.pad(index_HW, ((0, 0), (0, -width % in_a_byte)))
    parts = padded.reshape(height, -1, in_a_byte)
    packed = np.zeros(parts.shape[:2], np.uint8)
    for place in range(in_a_byte):
        packed |= parts[:, :, place] << (8 - depth * (place + 1))
    return packed
