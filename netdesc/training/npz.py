"""Reads numeric arrays from an .npz file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.npz import MAX_ARRAY_BYTES, Npz, NpzError, quote_name
from netdesc.training.errors import DataError


@contextmanager
def open_npz(path: Path) -> Generator[Npz, None, None]:
    """Opens an .npz file for the block.

    Raises DataError if the file cannot be read, or the block raises NpzError or OSError.
    """
    try:
        with path.open("rb") as file:
            yield Npz(file)
    except NpzError as error:
        raise DataError(f"{path} {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror or error}") from error


def read_numbers(npz: Npz, name: str) -> NDArray:
    """Reads the array ``name``. Raises NpzError if it is missing, damaged or not numeric."""
    header = npz.header(name)
    if header.kind not in "biufO":
        raise NpzError(f"holds no numbers in its array {quote_name(name)}")
    return npz.read(name, _read_array)


def read_npz(
    path: Path, names: Sequence[str], optional: Sequence[str] = (), largest: int = MAX_ARRAY_BYTES
) -> dict[str, NDArray]:
    """Reads the arrays ``names``, and the arrays ``optional`` if the file has them.

    Raises DataError if the file cannot be read, or an array is missing or has more than ``largest``
    bytes.
    """
    with open_npz(path) as npz:
        present = [*names, *(name for name in optional if name in npz.names)]
        for name in present:
            if npz.header(name).bytes > largest:
                raise NpzError(f"has more than {largest:,} bytes in its array {quote_name(name)}")
        return {name: read_numbers(npz, name) for name in present}


def _read_array(file: IO[bytes]) -> NDArray:
    return np.lib.format.read_array(file, allow_pickle=False)
