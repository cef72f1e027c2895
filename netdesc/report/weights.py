"""Reads the weights and learnt values of single layers from the ``.safetensors`` files of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from netdesc.graph import SynapticNode
from netdesc.runs.errors import RunError
from netdesc.runs.folder import refuse_link

_MIN_NORM = 1e-12
"""The smallest norm by which a row of weights is divided, so that a row of zeros stays 0. The same
value as in ``modules/synapse.py``."""


class SavedWeights:
    """An open file of weights, whose methods read what one layer has learnt."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path = path
        self._file = file
        self._names = set(file.keys())

    def synapses(self, layer: SynapticNode) -> NDArray[np.float64]:
        """Reads the weights of a layer, float64 [rows, weights], and applies weight norm.

        A row holds the weights of a unit or an output channel. If the neurons have two inputs, the
        weights of the second stand behind those of the first. Raises RunError if the weights are
        missing or have another shape.
        """
        shape = layer.weight_shape
        parts: list[NDArray[np.float64]] = []
        for name in layer.weight_names:
            path = f"layers.{layer.name}.{name}"
            weight_RW = self._tensor(path, shape).reshape(shape[0], -1)
            if layer.section.weight_norm:
                gains = (shape[0], *(1 for _ in shape[1:]))
                gain = self._tensor(f"{path.removesuffix('weight')}gain", gains)
                norm_R1 = np.linalg.norm(weight_RW, axis=1, keepdims=True)
                weight_RW = weight_RW * (gain.reshape(-1, 1) / np.maximum(norm_R1, _MIN_NORM))
            parts.append(weight_RW)
        return np.concatenate(parts, axis=1)

    def learnt(self, layer: SynapticNode) -> dict[str, NDArray[np.float64]]:
        """Reads learnt values by name, float64 [channels] or [1]; see ``synapses`` for errors."""
        return {
            path.rpartition(".")[2]: self._tensor(f"layers.{layer.name}.{path}", shape).reshape(-1)
            for path, shape in layer.learnt_shapes.items()
        }

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name not in self._names:
            raise RunError(f"{self._path}: has no {name}; it belongs to another network")
        try:
            tensor = np.asarray(self._file.get_tensor(name), dtype=np.float64)
        except (SafetensorError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{self._path}: cannot read {name}: {error}") from error
        if tensor.shape != shape:
            raise RunError(
                f"{self._path}: {name} has shape {list(tensor.shape)}, but the network requires "
                f"{list(shape)}; it belongs to another network"
            )
        return tensor


@contextmanager
def open_weights(path: Path) -> Iterator[SavedWeights | None]:
    """Opens a file of weights; yields None if there is no file. RunError for a damaged file."""
    if not path.exists():
        yield None
        return
    refuse_link(path)
    try:
        file = safe_open(path, framework="numpy")
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path}: is not a complete safetensors file: {error}") from error
    with file as opened:
        yield SavedWeights(path, opened)
