"""Compares weights and learned parameters of neurons before and after training."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import SynapticNode
from netdesc.report.format import NOTHING, number, percent, spread, time_constant
from netdesc.report.plots import Plot, histogram
from netdesc.report.run import RunData
from netdesc.report.tables import Table
from netdesc.report.weights import SavedWeights, open_weights
from netdesc.runs.errors import RunError

RECURRENT = "recurrent weight"
"""The kind of the weights from a layer's own spikes."""
BEFORE, AFTER = "before training", "best"

Values = Mapping[str, NDArray[np.float64]]
"""Weights or parameters of a layer, float64 [values], under the keys ``BEFORE`` and ``AFTER``."""


@dataclass
class WeightChange:
    """Tables and figures of weights and learned parameters. A table without rows is not shown.

    ``damaged`` are sentences about damaged files.
    """

    weights: Table
    parameters: Table
    weight_plots: list[Plot] = field(default_factory=list[Plot])
    parameter_plots: list[Plot] = field(default_factory=list[Plot])
    damaged: list[str] = field(default_factory=list[str])


def weight_change(run: RunData) -> WeightChange:
    """Compares the initial and the best weights. A damaged file is left out and reported."""
    paths = {BEFORE: run.initial_path, AFTER: run.best_path}
    files: dict[str, SavedWeights] = {}
    damaged: list[str] = []
    with contextlib.ExitStack() as stack:
        for name, path in paths.items():
            try:
                file = stack.enter_context(open_weights(path))
                if file is not None:
                    for layer in run.graph.neuron_layers:
                        _values(layer, {name: file})
                    files[name] = file
            except RunError as error:
                damaged.append(f"{error}. The report leaves out the values of this file.")
        change = _compare(run, files)
    change.damaged = damaged
    return change


def _values(layer: SynapticNode, files: Mapping[str, SavedWeights]) -> Mapping[str, Values]:
    """Reads the weights and the learnt values of a layer's neurons from ``files``.

    The result maps ``weight``, ``RECURRENT`` if the layer has such weights, and the name of each
    learnt value, to the numbers. Raises RunError if a tensor is missing or damaged.
    """
    by_kind: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, file in files.items():
        found = {"weight": file.synapses(layer).reshape(-1)} | file.learnt(layer)
        if layer.recurrent is not None:
            found[RECURRENT] = file.synapses(layer.recurrent).reshape(-1)
        for kind, values in found.items():
            by_kind.setdefault(kind, {})[name] = values
    return by_kind


def _compare(run: RunData, files: Mapping[str, SavedWeights]) -> WeightChange:
    change = WeightChange(_weight_table(), _parameter_table())
    for layer in run.graph.neuron_layers if files else ():
        for kind, values in _values(layer, files).items():
            what = "delay in steps" if kind == "delay" else kind.replace("_", " ")
            if kind in ("weight", RECURRENT):
                row = [layer.name if kind == "weight" else f"{layer.name}, recurrent"]
                change.weights.rows.append(row + _weight_cells(layer, values))
                unit = what if layer.bits is None else "weight before rounding"
                title, plots = f"{kind.capitalize()}s of {layer.name}", change.weight_plots
                counted = "weights"
            else:
                is_decay = layer.neuron.value_kinds().get(kind) == "decay"
                step_ms = layer.step_ms if is_decay else None
                change.parameters.rows.append(_parameter_row(layer, what, values, step_ms))
                title = f"{what.capitalize()} of {layer.name}"
                unit = "share lost per step" if is_decay else what
                plots, counted = change.parameter_plots, "values"
            if layer.name in run.plotted_layers and any(len(each) > 1 for each in values.values()):
                plots.append(histogram(title, values, counted, unit=unit))
    return change


def _limits(layer: SynapticNode, bits: int) -> tuple[float, float]:
    """Returns the smallest and the largest weight of a layer, in threshold units."""
    step = layer.weight_step / 32
    return -(1 << (bits - 1)) * step, ((1 << (bits - 1)) - 1) * step


def _quantized(layer: SynapticNode, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the weights as the network has them: on the grid of a layer that quantises."""
    if layer.bits is None:
        return weights
    step = layer.weight_step / 32
    return np.clip(np.rint(weights / step) * step, *_limits(layer, layer.bits))


def _weight_table() -> Table:
    return Table(
        caption="Synaptic weights in the unit of the threshold, on the device's grid if they are "
        "quantised: mean ± standard deviation, and range. The change is the norm of the difference "
        "before rounding, relative to the norm before training.",
        headings=["Layer", "Before", "Range before", "Best", "Best range", "Change"],
    )


def _weight_cells(layer: SynapticNode, values: Values) -> list[str]:
    cells: list[str] = []
    for name in (BEFORE, AFTER):
        if name in values:
            each = _quantized(layer, values[name])
            cells.append(f"{number(float(np.mean(each)))} ± {number(float(np.std(each)))}")
            cells.append(f"{number(float(np.min(each)))} to {number(float(np.max(each)))}")
        else:
            cells += [NOTHING] * 2
    change = None
    if BEFORE in values and AFTER in values and (length := np.linalg.norm(values[BEFORE])):
        change = float(np.linalg.norm(values[AFTER] - values[BEFORE]) / length)
    return [*cells, percent(change)]


def _parameter_table() -> Table:
    return Table(
        caption="What training changed in neurons. A decay is the share lost per step, beside its "
        "time constant. If each neuron has its own: the mean, with the range in brackets.",
        headings=["Layer", "Value", "Before", "Time constant", "Best", "Time constant"],
        texts=(0, 1),
    )


def _parameter_row(
    layer: SynapticNode, what: str, values: Values, step_ms: float | None
) -> list[str]:
    """Returns the cells of a learnt value. ``step_ms`` is None unless it is a decay."""
    cells = [layer.name, what]
    for name in (BEFORE, AFTER):
        if name in values:
            cells.append(spread(values[name]))
            cells.append(
                NOTHING
                if step_ms is None
                else spread(values[name], lambda share: time_constant(share, step_ms))
            )
        else:
            cells += [NOTHING] * 2
    return cells
