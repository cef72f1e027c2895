"""Reads the header of an .npy file, which may be damaged or malicious."""

import math
import struct
import tokenize
import zipfile
import zlib
from typing import IO, NamedTuple

import numpy as np

DAMAGE_ERRORS = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError),
    *(SyntaxError, RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What numpy and ``zipfile`` raise for a damaged file or one of another format."""


class ArrayHeader(NamedTuple):
    """Type and shape of an array. ``offset`` is where its values begin in its .npy file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool = False
    offset: int = 0

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def holds_numbers(self) -> bool:
        """Whether the values are numbers that netdesc computes with, of at most 8 bytes."""
        return self.dtype.kind in "biuf" and self.dtype.itemsize <= 8


def read_header(npy: IO[bytes]) -> ArrayHeader:
    """Reads the beginning of an .npy file. Raises one of ``DAMAGE_ERRORS``."""
    version = np.lib.format.read_magic(npy)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(npy)
    else:  # of version 3 are only records with names that are not Latin-1
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(npy)
    if any(length < 0 for length in shape):
        raise ValueError("an axis has a negative length")
    return ArrayHeader(shape, dtype, fortran_order, npy.tell())
