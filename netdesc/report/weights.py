"""Weights and decays from the ``.safetensors`` files of a run, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from netdesc.graph import Dense
from netdesc.report.errors import ReportError

_SMALLEST_NORM = 1e-12
"""As ``modules.synapse`` has it: a row of zeros keeps its direction zero."""


class Weights:
    """An open file of weights. Tensors are read when they are asked for, one at a time."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path = path
        self._file = file
        self._names = set(file.keys())

    def synapses(self, layer: Dense) -> NDArray[np.float64]:
        """The real weights of a layer, [units, inputs], the norm folded in. ReportError."""
        units, inputs = math.prod(layer.output_shape), math.prod(layer.input_shape)
        weight_UI = self._tensor(f"layers.{layer.name}.synapse.weight", (units, inputs))
        if not layer.section.weight_norm:
            return weight_UI
        gain_U1 = self._tensor(f"layers.{layer.name}.synapse.gain", (units, 1))
        norm_U1 = np.linalg.norm(weight_UI, axis=1, keepdims=True)
        return weight_UI * (gain_U1 / np.maximum(norm_U1, _SMALLEST_NORM))

    def decay(self, layer: Dense, name: str) -> NDArray[np.float64]:
        """A decay of a layer's neurons, [units] or [1], share lost per step. ReportError."""
        shape = (math.prod(layer.output_shape),) if layer.neuron.per_channel else ()
        return self._tensor(f"layers.{layer.name}.neuron.{name}", shape).reshape(-1)

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name not in self._names:
            raise ReportError(f"{self._path}: has no {name}; it belongs to another network")
        try:
            tensor = np.asarray(self._file.get_tensor(name), dtype=np.float64)
        except (SafetensorError, TypeError, ValueError, AttributeError) as error:
            raise ReportError(f"{self._path}: cannot read {name}: {error}") from error
        if tensor.shape != shape:
            raise ReportError(
                f"{self._path}: {name} has shape {list(tensor.shape)}, and the network's is "
                f"{list(shape)}; it belongs to another network"
            )
        return tensor


@contextmanager
def open_weights(path: Path) -> Iterator[Weights | None]:
    """The weights in a file, None where there is no such file. ReportError where it is damaged."""
    if not path.exists():
        yield None
        return
    if not path.is_file():
        raise ReportError(f"{path}: is no regular file")
    try:
        file = safe_open(path, framework="numpy")
    except (SafetensorError, OSError, ValueError) as error:
        raise ReportError(f"{path}: is no complete safetensors file: {error}") from error
    with file as held:
        yield Weights(path, held)
