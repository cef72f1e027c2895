"""Write delayed_recall.npz: sequences of symbols, and the symbol of 30 steps before the answer.

    python data/delayed_recall/make.py [FOLDER]

writes delayed_recall.npz into FOLDER (this one, unless given).
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

SEED = 0
SYMBOLS = 8  # each has a channel of its own
SLOTS, SLOT_STEPS = 9, 5  # one symbol a slot
SPIKES = 3  # of a symbol
NOISE = 0.02  # probability of another spike, a channel and step
ASKED = 2  # the slot whose symbol is the label; the answer is given in the last slot
PARTS = {"train": 1000, "validation": 200, "test": 400}  # samples
MADE = (1998, 7, 1, 0, 0, 0)  # a fixed date in the file, so that its bytes never change


def sequences() -> dict[str, np.ndarray]:
    """Returns the arrays of the file."""
    random = np.random.RandomState(SEED)
    samples = sum(PARTS.values())
    symbols = random.randint(SYMBOLS, size=(samples, SLOTS))
    steps = random.uniform(size=(samples, SLOTS, SLOT_STEPS)).argsort(axis=2) < SPIKES
    of_symbol = symbols[:, :, None, None] == np.arange(SYMBOLS)
    spikes = (of_symbol & steps[..., None]).reshape(samples, SLOTS * SLOT_STEPS, SYMBOLS)
    spikes |= random.uniform(size=spikes.shape) < NOISE
    return {
        "inputs": spikes.astype(np.uint8),
        "labels": symbols[:, ASKED].astype(np.uint8),
        "split": np.repeat(np.arange(len(PARTS)), list(PARTS.values())).astype(np.uint8),
    }


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
    write_arrays(folder / "delayed_recall.npz", sequences())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
