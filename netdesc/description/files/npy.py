"""Reads .npy files without numpy: type and shape of the array, and its numbers.

The module numpy.lib.format describes the format. The header is parsed as a literal and never
executed.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import sys
import warnings
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, cast

MAX_HEADER_BYTES = 10_000
"""The limit of numpy. The header of a plain array has 118 bytes."""

_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(r"([<>|=]?)([biufcmMOSUV])([0-9]{0,9})(\[[^\]]*\])?")
_OBJECT_FIELD = re.compile(r"'[<>|=]?O'")
_CODES = {"b": "?", "i": "bhiq", "u": "BHIQ", "f": "efd"}
"""Maps numpy's ``dtype.kind`` to type codes of the modules array and struct, smallest first."""

KIND_NAMES = {
    "b": "booleans",
    "i": "integers",
    "u": "integers",
    "f": "floats",
    "c": "complex numbers",
    "S": "bytes",
    "U": "text",
    "M": "dates",
    "m": "times",
}
"""Maps numpy's ``dtype.kind`` to a word for messages."""

HEADER_ERRORS = (struct.error, EOFError, OSError, OverflowError, ValueError)
"""The exceptions that ``read_header`` raises if a file is damaged or is not an .npy file."""


@dataclass(frozen=True, slots=True)
class Header:
    """Type and shape of an array.

    ``kind`` is numpy's ``dtype.kind``: b, i, u, f, O (Python objects, also in records), V (other
    records) or another letter. ``item_bytes`` is 0 if the header does not give the size.
    """

    kind: str
    item_bytes: int
    is_big_endian: bool
    shape: tuple[int, ...]
    fortran_order: bool
    fields: tuple[str, ...] = ()
    """The names of the fields of records."""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.item_bytes

    @property
    def code(self) -> str | None:
        """The numbers' type code for ``struct``, or ``None`` if ``struct`` has no such type."""
        for letter in _CODES.get(self.kind, ""):
            if struct.calcsize(f"={letter}") == self.item_bytes:
                return letter
        return None

    def index(self, position: int) -> tuple[int, ...]:
        """Returns the array index of the value at ``position`` (counted in values) of the file."""
        order = self.shape if self.fortran_order else self.shape[::-1]
        indices: list[int] = []
        for length in order:
            position, rest = divmod(position, length)
            indices.append(rest)
        return tuple(indices if self.fortran_order else indices[::-1])

    def columns(self, values: Sequence[float]) -> list[Sequence[float]]:
        """Returns the columns of an array of two axes, which has these values in its file."""
        count, width = self.shape
        if self.fortran_order:
            return [values[column * count : (column + 1) * count] for column in range(width)]
        return [values[column::width] for column in range(width)]

    def round_to_type(self, value: float) -> float:
        """Rounds ``value`` to the float type of the array: float32 0.1 differs from float64 0.1."""
        if self.kind != "f" or self.code is None:
            return value
        try:
            return struct.unpack(f"={self.code}", struct.pack(f"={self.code}", value))[0]
        except OverflowError:
            return math.copysign(math.inf, value)


def join_shape(shape: Sequence[int]) -> str:
    """Returns the lengths of a shape's axes, separated by commas."""
    return ", ".join(map(str, shape))


def numbers(header: Header, raw: bytes) -> array[int] | array[float]:
    """Converts bytes of an array to numbers. Its header must have a ``code``."""
    code = header.code
    assert code is not None
    if code == "e":
        order = ">" if header.is_big_endian else "<"
        return array("f", struct.unpack(f"{order}{len(raw) // 2}e", raw))
    values = array("B" if code == "?" else code, raw)
    if header.is_big_endian != (sys.byteorder == "big"):
        values.byteswap()
    return values


def read_header(member: IO[bytes]) -> tuple[Header, int]:
    """Returns the header of an .npy file and its length in bytes. Raises ``HEADER_ERRORS``."""
    start = member.read(8)
    if len(start) < 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise ValueError("not an .npy file")
    form = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(form, member.read(struct.calcsize(form)))
    if length > MAX_HEADER_BYTES:
        raise ValueError("the header is too long")
    raw = member.read(length)
    if len(raw) < length:
        raise EOFError
    header = _parse_header(raw.decode("utf-8" if start[6] == 3 else "latin-1"))
    return header, 8 + struct.calcsize(form) + length


def npy_header(header: Header) -> bytes:
    """Returns the beginning of an .npy file, before its values."""
    order = ">" if header.is_big_endian else "<"
    fields = {
        "descr": f"{order}{header.kind}{header.item_bytes}",
        "fortran_order": header.fortran_order,
        "shape": header.shape,
    }
    text = f"{fields}\n".encode("latin-1")
    return _MAGIC + b"\1\0" + struct.pack("<H", len(text)) + text


def _parse_header(text: str) -> Header:
    """Parses the text of a header, which is a dictionary literal of Python. Raises ValueError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fields = cast("dict[object, object]", dict(ast.literal_eval(text)))
    except (SyntaxError, TypeError, MemoryError, RecursionError) as problem:
        raise ValueError("not a header of an .npy file") from problem
    if fields.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("not a header of an .npy file")
    shape, fortran_order = fields["shape"], fields["fortran_order"]
    lengths = cast("tuple[object, ...]", shape) if isinstance(shape, tuple) else (None,)
    known = [each for each in lengths if type(each) is int and each >= 0]
    if len(known) < len(lengths) or not isinstance(fortran_order, bool):
        raise ValueError("not a header of an .npy file")
    order, kind, item_bytes = _parse_dtype(fields["descr"])
    is_big = order == ">" or (order == "=" and sys.byteorder == "big")
    names = _field_names(fields["descr"])
    return Header(kind, item_bytes, is_big, tuple(known), fortran_order, names)


def _field_names(descr: object) -> tuple[str, ...]:
    listed = cast("list[object]", descr) if isinstance(descr, list) else []
    fields = [cast("tuple[object, ...]", each) for each in listed if isinstance(each, tuple)]
    return tuple(each[0] for each in fields if each and isinstance(each[0], str))


def _parse_dtype(descr: object) -> tuple[str, str, int]:
    """Returns byte order, kind and bytes per item of the field ``descr``. Raises ValueError."""
    if isinstance(descr, list | tuple):
        return "|", "O" if _OBJECT_FIELD.search(repr(cast("object", descr))) else "V", 0
    match = _DTYPE.fullmatch(descr) if isinstance(descr, str) else None
    if match is None:
        raise ValueError("unknown data type")
    bytes_of_unit = 4 if match[2] == "U" else 1
    return match[1], match[2], int(match[3] or 0) * bytes_of_unit
