"""The work of a measurement (settings and arrays), which each program reads from a ``.npz`` file.

The file holds 8 spikes in each byte and ``settings`` as JSON text; it contains no pickles.
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
    """The settings and arrays of a measurement.

    ``spikes`` maps names to bool arrays [steps, batch, size], ``numbers`` maps names to float32
    arrays.
    """

    settings: dict[str, Any]
    spikes: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]

    def write(self, path: Path) -> None:
        shapes = {name: values.shape for name, values in self.spikes.items()}
        packed_spikes = {
            f"spikes_{name}": np.packbits(values) for name, values in self.spikes.items()
        }
        arrays: dict[str, Any] = {**packed_spikes, **self.numbers}
        arrays["text"] = np.array(json.dumps({"settings": self.settings, "shapes": shapes}))
        np.savez(path, **arrays)

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
        """Returns the spikes ``name`` as float32 [steps, batch, size] of 0 and 1."""
        return self.spikes[name].astype(np.float32)

    def upstream(self) -> np.ndarray:
        """Returns the gradient of the layer's output, float32 [steps, batch, neurons].

        It has equal values in every step and sample, but is a full array like the gradient of a
        loss.
        """
        steps, batch, _ = self.spikes["input"].shape
        row = self.numbers["upstream_N"]
        return np.ascontiguousarray(np.broadcast_to(row, (steps, batch, len(row))))
