"""Reads the weights and learnt values of a run, and compares them before and after training."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from netdesc.graph import SynapticNode
from netdesc.report.format import NOTHING, number, percent, spread, time_constant
from netdesc.report.plots import Plot, histogram
from netdesc.report.run import RunData
from netdesc.report.tables import Table
from netdesc.runs.errors import RunError
from netdesc.runs.folder import refuse_link

_MIN_NORM = 1e-12
"""By no lower norm is a row of weights divided: zeros stay 0, as in ``modules/synapse.py``."""


class SavedWeights:
    """An open file of weights, whose methods read what one layer has learnt."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file, self._names = path, file, set(file.keys())

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


@contextlib.contextmanager
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


RECURRENT = "recurrent weight"
"""The kind of the weights from a layer's own spikes."""
BEFORE, AFTER = "before training", "best"

Values = Mapping[str, NDArray[np.float64]]
"""Weights or parameters of a layer, float64 [values], under the keys ``BEFORE`` and ``AFTER``."""


class WeightChange:
    """Compares the initial and the best weights, and values that neurons have learnt.

    A table without rows is not shown. ``damaged`` are sentences about damaged files, whose values
    are left out.
    """

    def __init__(self, run: RunData) -> None:
        self.weights, self.parameters = Table.named("weights", []), Table.named("parameters", [])
        self.weight_plots, self.parameter_plots = list[Plot](), list[Plot]()
        self.damaged, files = list[str](), dict[str, SavedWeights]()
        with contextlib.ExitStack() as stack:
            for name, path in {BEFORE: run.initial_path, AFTER: run.best_path}.items():
                try:
                    file = stack.enter_context(open_weights(path))
                    if file is not None:
                        for layer in run.graph.neuron_layers:
                            _values(layer, {name: file})
                        files[name] = file
                except RunError as error:
                    self.damaged.append(f"{error}. The report leaves out the values of this file.")
            for layer in run.graph.neuron_layers if files else ():
                for kind, values in _values(layer, files).items():
                    self._add(layer, kind, values, layer.name in run.plotted_layers)

    def _add(self, layer: SynapticNode, kind: str, values: Values, is_plotted: bool) -> None:
        what = "delay in steps" if kind == "delay" else kind.replace("_", " ")
        if kind in ("weight", RECURRENT):
            row = [layer.name if kind == "weight" else f"{layer.name}, recurrent"]
            self.weights.rows.append(row + _weight_cells(layer, values))
            unit = what if layer.bits is None else "weight before rounding"
            title, counted = f"{kind.capitalize()}s of {layer.name}", "weights"
            plots = self.weight_plots
        else:
            is_decay = layer.neuron.value_kinds().get(kind) == "decay"
            step_ms = layer.step_ms if is_decay else None
            self.parameters.rows.append([layer.name, what, *_parameter_cells(values, step_ms)])
            unit = "share lost per step" if is_decay else what
            title, counted = f"{what.capitalize()} of {layer.name}", "values"
            plots = self.parameter_plots
        if is_plotted and any(len(array) > 1 for array in values.values()):
            plots.append(histogram(title, values, counted, unit=unit))


def _values(layer: SynapticNode, files: Mapping[str, SavedWeights]) -> Mapping[str, Values]:
    """Reads weights, recurrent ones and learnt values of a layer by kind. RunError if damaged."""
    by_kind: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, file in files.items():
        arrays = {"weight": file.synapses(layer).reshape(-1)} | file.learnt(layer)
        if layer.recurrent is not None:
            arrays[RECURRENT] = file.synapses(layer.recurrent).reshape(-1)
        for kind, values in arrays.items():
            by_kind.setdefault(kind, {})[name] = values
    return by_kind


def _weight_cells(layer: SynapticNode, values: Values) -> list[str]:
    cells, change = list[str](), None
    for name in (BEFORE, AFTER):
        mean = span = NOTHING
        if name in values:
            array = values[name]
            if layer.bits is not None:
                step, half = layer.weight_step / 32, 1 << (layer.bits - 1)
                array = np.clip(np.rint(array / step), -half, half - 1) * step
            mean = f"{number(float(np.mean(array)))} ± {number(float(np.std(array)))}"
            span = f"{number(float(np.min(array)))} to {number(float(np.max(array)))}"
        cells += [mean, span]
    if BEFORE in values and AFTER in values and (length := np.linalg.norm(values[BEFORE])):
        change = float(np.linalg.norm(values[AFTER] - values[BEFORE]) / length)
    return [*cells, percent(change)]


def _parameter_cells(values: Values, step_ms: float | None) -> Iterator[str]:
    """Yields the cells of a learnt value. ``step_ms`` is None unless it is a decay."""
    for name in (BEFORE, AFTER):
        constant = NOTHING
        if name in values and step_ms is not None:
            constant = spread(values[name], lambda share: time_constant(share, step_ms))
        yield from (spread(values[name]) if name in values else NOTHING, constant)
