"""Write japanese_vowels.npz: recordings of nine speakers, the speaker of each, and its part.

    python data/japanese_vowels/make.py WHEEL [FOLDER]

writes japanese_vowels.npz into FOLDER (this one, unless given). It takes the recordings from a
wheel of the package aeon, which needs no installing: pip download aeon --no-deps.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

STEPS, COEFFICIENTS = 32, 12  # the longest recording has 29 steps, and the answer takes some more
FILES = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"
MADE = (1998, 7, 1, 0, 0, 0)  # a fixed date in the file, so that its bytes never change


def read_recordings(wheel: Path, part: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the recordings of a part, each [steps, coefficients], and their speakers from 0."""
    recordings: list[np.ndarray] = []
    speakers: list[int] = []
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(FILES.format(part)).decode()
    for line in text[text.index("@data") :].splitlines()[1:]:
        *coefficients, speaker = line.split(":")
        recordings.append(np.array([row.split(",") for row in coefficients], np.float64).T)
        speakers.append(int(speaker) - 1)
    return recordings, np.array(speakers, np.uint8)


def standardize(recordings: list[np.ndarray], like: list[np.ndarray]) -> list[np.ndarray]:
    """Returns coefficients that have the mean 0 and the deviation 1 in the recordings ``like``."""
    steps = np.concatenate(like)
    return [(recording - steps.mean(axis=0)) / steps.std(axis=0) for recording in recordings]


def pad(recordings: list[np.ndarray]) -> np.ndarray:
    """Returns [recordings, STEPS, coefficients], with zeros behind the end of each recording."""
    padded = np.zeros((len(recordings), STEPS, COEFFICIENTS))
    for row, recording in zip(padded, recordings, strict=True):
        row[: len(recording)] = recording
    return padded


def main(wheel: Path, folder: Path) -> None:
    train, train_speakers = read_recordings(wheel, "TRAIN")
    test, test_speakers = read_recordings(wheel, "TEST")
    inputs = pad(standardize(train + test, like=train))
    arrays = {
        "inputs": (np.rint(64 * inputs) / 64).astype(np.float16),
        "labels": np.concatenate([train_speakers, test_speakers]),
        "steps": np.array([len(recording) for recording in train + test], np.uint8),
        "split": np.repeat(np.array([0, 2], np.uint8), [len(train), len(test)]),
    }
    write_arrays(folder / "japanese_vowels.npz", arrays)


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)
