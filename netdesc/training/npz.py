"""Reads arrays of numbers from an .npz file."""

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
    """Opens a file. DataError for what is wrong with it, also if it is found within the block."""
    try:
        with path.open("rb") as file:
            yield Npz(file)
    except NpzError as error:
        raise DataError(f"{path} {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror or error}") from error


def read_numbers(npz: Npz, name: str) -> NDArray:
    """An array of numbers. NpzError, also if it holds anything else."""
    header = npz.header(name)
    if header.kind not in "biufO":
        raise NpzError(f"holds no numbers in its array {quote_name(name)}")
    return npz.read(name, _read_array)


def read_npz(
    path: Path, names: Sequence[str], optional: Sequence[str] = (), largest: int = MAX_ARRAY_BYTES
) -> dict[str, NDArray]:
    """The arrays ``names``, and those of ``optional`` that the file has.

    DataError, also if an array has more than ``largest`` bytes.
    """
    with open_npz(path) as npz:
        present = [*names, *(name for name in optional if name in npz.names)]
        for name in present:
            if npz.header(name).bytes > largest:
                raise NpzError(f"has more than {largest:,} bytes in its array {quote_name(name)}")
        return {name: read_numbers(npz, name) for name in present}


def _read_array(file: IO[bytes]) -> NDArray:
    return np.lib.format.read_array(file, allow_pickle=False)
