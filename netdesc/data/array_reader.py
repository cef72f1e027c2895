"""Reads or maps the arrays of .npz files and of folders of .npy files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_errors import DataError
from netdesc.description.files.array_source import (
    ArrayFileError,
    ArraySource,
    is_mapped,
    quote_name,
)
from netdesc.description.files.npz import open_arrays


@contextmanager
def array_errors(path: Path) -> Generator[None, None, None]:
    """Converts ArrayFileError and OSError to DataError, whose message begins with ``path``."""
    try:
        yield
    except ArrayFileError as error:
        raise DataError(f"{path} {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror or error}") from error


def read_numbers(source: ArraySource, name: str) -> NDArray:
    """Reads the array ``name``, or maps it if training reads it batch by batch.

    Raises ArrayFileError if it is missing, damaged or not numeric.
    """
    header = source.header(name)
    if header.kind not in "biufO":
        raise ArrayFileError(f"holds no numbers in its array {quote_name(name)}")
    location = source.location(name) if is_mapped(source, name) else None
    if location is None:
        return source.read(name, partial(np.lib.format.read_array, allow_pickle=False))
    dtype = np.dtype(f"{'>' if header.is_big_endian else '<'}{header.kind}{header.item_bytes}")
    order: Literal["C", "F"] = "F" if header.fortran_order else "C"
    return np.asarray(np.memmap(location.path, dtype, "r", location.offset, header.shape, order))


def read_array(path: Path, name: str) -> NDArray:
    """Reads the array ``name`` of a file. DataError if it or the file cannot be read."""
    with array_errors(path), open_arrays(path) as source:
        return read_numbers(source, name)
