"""What every program is given to compute: one file, the same for all.

It is an ``.npz`` without pickles. Spikes are packed eight to a byte; ``settings`` is JSON text.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Work:
    """``spikes`` are bool arrays [steps, batch, size] by name, ``numbers`` float32 arrays."""

    settings: dict[str, Any]
    spikes: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]

    def write(self, path: Path) -> None:
        shapes = {name: values.shape for name, values in self.spikes.items()}
        arrays = {f"spikes_{name}": np.packbits(values) for name, values in self.spikes.items()}
        arrays |= self.numbers
        arrays["text"] = np.array(json.dumps({"settings": self.settings, "shapes": shapes}))
        np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]

    @classmethod
    def read(cls, path: Path) -> Work:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        told = json.loads(str(arrays.pop("text")))
        spikes = {
            name: unpacked(arrays.pop(f"spikes_{name}"), shape)
            for name, shape in told["shapes"].items()
        }
        return cls(told["settings"], spikes, arrays)

    def cut(self, steps: int) -> Work:
        """A layer's work on its first steps, without the last of its inputs and about as dense."""
        spikes, weight_OI = self.spikes["input"], self.numbers["weight_OI"]
        inputs = max(1, weight_OI.shape[1] - 1)
        return replace(
            self,
            spikes=self.spikes | {"input": spikes[:steps, :, :inputs]},
            numbers=self.numbers | {"weight_OI": np.ascontiguousarray(weight_OI[:, :inputs])},
        )

    def dense(self, name: str) -> np.ndarray:
        """Spikes as float32 [steps, batch, size], 0 and 1."""
        return self.spikes[name].astype(np.float32)

    def upstream(self) -> np.ndarray:
        """The gradient of the layer's output, float32 [steps, batch, neurons].

        It is the same in every step and sample, but a whole tensor, as a loss would hand it on.
        """
        steps, batch, _ = self.spikes["input"].shape
        row = self.numbers["upstream_N"]
        return np.ascontiguousarray(np.broadcast_to(row, (steps, batch, len(row))))


def unpacked(packed: np.ndarray, shape: list[int]) -> np.ndarray:
    """Bool array of ``shape`` from its bits."""
    return np.unpackbits(packed, count=math.prod(shape)).reshape(shape).view(np.bool_)


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and contents, to tell that two programs were given the same."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
