"""Write digits.npz: the 8×8 handwritten digits, a label for each, and who is held out.

    python data/digits/make.py [FOLDER]

writes digits.npz into FOLDER (this one, unless given). It takes the images from scikit-learn, on
which netdesc itself does not depend: pip install scikit-learn.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

SPLIT_SEED = 0
HELD_OUT = 5  # one sample in so many, of each digit, is for validation
TRAIN, VALIDATION = 0, 1
MADE = (1998, 7, 1, 0, 0, 0)  # what the file says of its age, so that it never changes


def choose_split(labels: np.ndarray) -> np.ndarray:
    """Part of each sample: of every digit a fifth, rounded, is drawn for validation."""
    # numpy promises that this generator's numbers stay, of the newer ones it does not.
    random = np.random.RandomState(SPLIT_SEED)
    split = np.full(labels.size, TRAIN, np.uint8)
    for digit in range(10):
        samples = np.flatnonzero(labels == digit)
        split[random.permutation(samples)[: round(samples.size / HELD_OUT)]] = VALIDATION
    return split


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz as ``np.savez_compressed`` writes it, but with the same bytes on every system."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", MADE)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, content.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main(folder: Path) -> None:
    digits = load_digits()
    labels = digits.target.astype(np.uint8)
    arrays = {
        "inputs": digits.data.astype(np.uint8),
        "labels": labels,
        "split": choose_split(labels),
    }
    write_arrays(folder / "digits.npz", arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
