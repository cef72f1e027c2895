"""The work that every program computes, as one ``.npz`` file without pickles.

Spikes are packed eight to a byte; ``settings`` is JSON text.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
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
        text = json.loads(str(arrays.pop("text")))
        spikes = {
            name: np.unpackbits(arrays.pop(f"spikes_{name}"), count=math.prod(shape))
            .reshape(shape)
            .view(np.bool_)
            for name, shape in text["shapes"].items()
        }
        return cls(text["settings"], spikes, arrays)

    def dense(self, name: str) -> np.ndarray:
        """Spikes as float32 [steps, batch, size], 0 and 1."""
        return self.spikes[name].astype(np.float32)

    def upstream(self) -> np.ndarray:
        """The gradient of the layer's output, float32 [steps, batch, neurons].

        It is equal in every step and sample, but a full tensor, as a loss returns it.
        """
        steps, batch, _ = self.spikes["input"].shape
        row = self.numbers["upstream_N"]
        return np.ascontiguousarray(np.broadcast_to(row, (steps, batch, len(row))))
