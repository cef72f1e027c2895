"""Write mackey_glass.npz: windows of the Mackey-Glass series, and the value that follows each.

    python data/mackey_glass/make.py [FOLDER]

writes mackey_glass.npz into FOLDER (this one, unless given), and prints the error of persistence.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

SEED = 0
LAG, RATE, DECAY = 17, 0.2, 0.1  # x' = RATE · x(t − LAG) / (1 + x(t − LAG)^10) − DECAY · x
SUBSTEPS = 10  # of a unit of time
INTERVAL = 6  # units of time between two values
TRANSIENT = 100  # values that are left out at the start
LAGS = 4  # values that enter the network in a step
STEPS = 100  # values of a window
PARTS = {"train": 48, "validation": 8, "test": 16}  # windows
SCALE = 8  # of the inputs, which are then rounded to multiples of 1/64
MADE = (1998, 7, 1, 0, 0, 0)  # a fixed date in the file, so that its bytes never change


def mackey_glass(count: int) -> np.ndarray:
    """Returns ``count`` values of the series.

    Only sums, products and quotients are used: they are the same on every machine, and the series
    is chaotic, so that other last digits would soon give another series.
    """
    first = float(np.random.RandomState(SEED).uniform(0.9, 1.5))
    delay, every = LAG * SUBSTEPS, INTERVAL * SUBSTEPS
    values = [first] * (delay + 1)
    while len(values) <= delay + count * every:
        delayed = (values[-1 - delay] + values[-delay]) / 2  # in the middle of the substep
        square = delayed * delayed
        fourth = square * square
        growth = RATE * delayed / (1.0 + fourth * fourth * square)
        middle = values[-1] + (growth - DECAY * values[-1]) / (2 * SUBSTEPS)
        values.append(values[-1] + (growth - DECAY * middle) / SUBSTEPS)
    return np.array(values[delay + every :: every][:count])


def windows() -> dict[str, np.ndarray]:
    """Returns the arrays of the file. Parts follow each other in time."""
    total = sum(PARTS.values())
    series = mackey_glass(TRANSIENT + total * STEPS + LAGS)[TRANSIENT:]
    now = np.arange(total * STEPS).reshape(total, STEPS, 1) + LAGS - 1
    inputs = np.rint(SCALE * 64 * series[now - np.arange(LAGS)]) / 64
    split = np.repeat(np.arange(len(PARTS)), list(PARTS.values()))
    return {
        "inputs": inputs.astype(np.float16),
        "targets": series[now + 1].astype(np.float32),
        "split": split.astype(np.uint8),
    }


def persistence(arrays: dict[str, np.ndarray], part: int) -> float:
    """Returns the sMAPE of the prediction that the next value is the last one."""
    of_part = arrays["split"] == part
    values = arrays["inputs"][of_part, :, :1].astype(float) / SCALE
    targets = arrays["targets"][of_part].astype(float)
    return float(np.mean(2 * np.abs(values - targets) / (np.abs(values) + np.abs(targets))))


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
    arrays = windows()
    write_arrays(folder / "mackey_glass.npz", arrays)
    for part, name in enumerate(PARTS):
        print(f"{name}: sMAPE of persistence {persistence(arrays, part):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
