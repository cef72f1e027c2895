"""Write digits.npz: the 8×8 handwritten digits, a label for each, and the part that each is in.

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
TRAIN, VALIDATION, TEST = 0, 1, 2
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1  # of each digit's images
MADE = (1998, 7, 1, 0, 0, 0)  # a fixed date in the file, so that its bytes never change


def choose_split(labels: np.ndarray) -> np.ndarray:
    """Return the part of each sample; shares are drawn digit by digit and rounded."""
    # numpy promises that the numbers of this generator stay the same; it does not for newer ones.
    random = np.random.RandomState(SPLIT_SEED)
    split = np.full(labels.size, TRAIN, np.uint8)
    for digit in range(10):
        samples = random.permutation(np.flatnonzero(labels == digit))
        test = round(samples.size * TEST_SHARE)
        validation = round(samples.size * VALIDATION_SHARE)
        split[samples[:test]] = TEST
        split[samples[test : test + validation]] = VALIDATION
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
    inputs = digits.data.astype(np.uint8)
    arrays = {
        "inputs": inputs,
        "images": inputs.reshape(-1, 1, 8, 8),
        "labels": labels,
        "split": choose_split(labels),
    }
    write_arrays(folder / "digits.npz", arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
