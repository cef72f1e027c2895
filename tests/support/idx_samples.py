"""Idx files and folders of recordings, for the tests of data."""

import gzip
import struct
from pathlib import Path

import numpy as np

from netdesc.events import Event, write_events

_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array: np.ndarray) -> bytes:
    """An idx file of this array."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    start = struct.pack(f">4B{array.ndim}I", 0, 0, _CODES[kind], array.ndim, *array.shape)
    return start + array.astype(f">{kind}").tobytes()


def write_images(folder: Path, counts: dict[str, int], packed: bool = True) -> None:
    """Writes images [count, 2, 3] of two classes, bright on the left or the right."""
    for part, count in counts.items():
        labels = np.arange(count, dtype=np.uint8) % 2
        noise = np.random.default_rng(count).integers(0, 50, (count, 2, 3), np.uint8)
        is_bright = np.arange(3) == 2 * labels[:, None, None]
        for name, array in (("images", noise + 200 * is_bright), ("labels", labels)):
            raw = idx(array.astype(np.uint8))
            (folder / f"{part}-{name}").write_bytes(gzip.compress(raw) if packed else raw)


def recording(label: int, number: int) -> Event:
    """Events in 12 ms on two channels of 2 x 3 pixels, on the channel of the class."""
    rng = np.random.default_rng([label, number])
    x, y = rng.integers(0, 3, 20), rng.integers(0, 2, 20)
    return Event(x=x, y=y, p=np.full(20, label % 2), t=rng.integers(0, 12_000, 20) / 1000)


def write_recordings(folder: Path, counts: dict[str, int], names: tuple[str, ...]) -> None:
    """Writes recordings in folders of classes, in N-MNIST's format, for each part."""
    for part, count in counts.items():
        for label, name in enumerate(names):
            for number in range(count):
                path = folder / part / name / f"{number:05}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_events(path, recording(label, number))
