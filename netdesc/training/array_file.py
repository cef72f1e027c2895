"""Arrays into an ``.npz`` file, one after the other, so that none has to wait for the last."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


def write_npz(path: Path, arrays: Iterable[tuple[str, ArrayLike]]) -> None:
    """Writes what numpy's ``savez_compressed`` would, by names. OSError."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
