"""PNG files from arrays, with nothing but zlib: https://www.w3.org/TR/png-3/."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

LARGEST_PICTURE = 100_000_000
"""Pixels. Programs that show pictures give up soon after."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE, _RGBA = 3, 6


def palette_png(index_HW: NDArray[np.uint8], colours: Sequence[Colour | None]) -> bytes:
    """A picture whose pixels number ``colours``; None is transparent. At most 16 colours.

    ValueError where the picture is empty or larger than ``LARGEST_PICTURE``.
    """
    assert 0 < len(colours) <= 16
    depth = next(bits for bits in (1, 2, 4) if len(colours) <= 1 << bits)
    opaque = [(0, 0, 0) if colour is None else colour for colour in colours]
    extra = [(b"PLTE", bytes(part for colour in opaque for part in colour))]
    if None in colours:
        extra.append((b"tRNS", bytes(0 if colour is None else 255 for colour in colours)))
    return _png(index_HW.shape, depth, _PALETTE, extra, _packed(index_HW, depth))


def rgba_png(pixel_HW4: NDArray[np.uint8]) -> bytes:
    """A picture of red, green, blue and opacity. ValueError as ``palette_png``."""
    assert pixel_HW4.ndim == 3
    assert pixel_HW4.shape[2] == 4
    height, width, _ = pixel_HW4.shape
    return _png((height, width), 8, _RGBA, [], pixel_HW4.reshape(height, width * 4))


def _png(
    shape: tuple[int, ...],
    depth: int,
    kind: int,
    extra: Sequence[tuple[bytes, bytes]],
    row_HB: NDArray[np.uint8],
) -> bytes:
    height, width = shape
    if not 0 < height * width <= LARGEST_PICTURE:
        raise ValueError(f"a picture of {width} × {height} pixels cannot be drawn")
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    # Each line starts with the number of its filter; 0 is none, which suits pictures of few dots.
    lines = np.pad(row_HB, ((0, 0), (1, 0))).tobytes()
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b"")]
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
