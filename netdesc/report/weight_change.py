"""What training changed: weights and learned decays, before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Dense
from netdesc.report.errors import ReportError
from netdesc.report.format import NOTHING, number, percent, plural, spread, time_constant
from netdesc.report.plots import Histogram, Plot, histogram
from netdesc.report.run import Run
from netdesc.report.tables import Table
from netdesc.report.weights import Weights, open_weights

DECAY_ONE = 4096
"""The device's integer for a decay of 1."""
MIN_SHARE_AT_LIMIT = 0.001
"""Of a layer's weights: so many at an end of the grid are worth a note."""
BEFORE, AFTER = "before training", "best"

Values = Mapping[str, NDArray[np.float64]]
"""Weights or decays of a layer, flat, by ``BEFORE`` and ``AFTER``."""


@dataclass
class WeightChange:
    """Tables and figures of what was learned; a table without rows where there is nothing.

    ``zeroed`` are layers whose best weights are all 0 in the device's integers, ``notes`` sentences
    on best weights and decays at the end of their range, ``damaged`` files that are left out.
    """

    weights: Table
    decays: Table
    weight_plots: list[Plot] = field(default_factory=list[Plot])
    decay_plots: list[Plot] = field(default_factory=list[Plot])
    zeroed: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    damaged: list[str] = field(default_factory=list[str])


def weight_change(run: Run) -> WeightChange:
    """Reads both files of weights, a tensor at a time. One that is damaged is left out."""
    paths = {BEFORE: run.initial_path, AFTER: run.best_path}
    damaged: list[str] = []
    for name, path in list(paths.items()):
        try:
            with open_weights(path) as file:
                for layer in run.dense:
                    _values(layer, {} if file is None else {name: file})
        except ReportError as error:
            del paths[name]
            damaged.append(f"{error}. Weights and decays are shown without this file.")
    with contextlib.ExitStack() as stack:
        opened = {name: stack.enter_context(open_weights(path)) for name, path in paths.items()}
        files = {name: file for name, file in opened.items() if file is not None}
        change = _compare(run, files)
    change.damaged = damaged
    return change


def _values(layer: Dense, files: Mapping[str, Weights]) -> dict[str, Values]:
    """A layer's weights and learned decays, by what they are. ReportError where one is damaged."""
    weights = {name: file.synapses(layer).reshape(-1) for name, file in files.items()}
    found: dict[str, Values] = {"weight": weights}
    for decay in layer.neuron.learn:
        found[decay] = {name: file.decay(layer, decay) for name, file in files.items()}
    return found


def _compare(run: Run, files: Mapping[str, Weights]) -> WeightChange:
    change = WeightChange(_weight_table(), _decay_table())
    for layer in run.dense if files else ():
        for kind, values in _values(layer, files).items():
            what = kind.replace("_", " ")
            best = values.get(AFTER, np.empty(0))
            if kind == "weight":
                change.weights.rows.append(_weight_row(layer, values))
                change.notes += _weights_at_limit(layer, best)
                if len(best) and layer.bits is not None and not _on_grid(best).any():
                    change.zeroed.append(layer.name)
                title, unit, plots = f"Weights of {layer.name}", what, change.weight_plots
            else:
                change.decays.rows.append(_decay_row(layer, what, values, run.graph.step_ms))
                change.notes += _decays_at_limit(layer, what, best)
                title, unit = f"{what.capitalize()} of {layer.name}", "share lost a step"
                plots = change.decay_plots
            if layer.name in run.drawn and any(len(each) > 1 for each in values.values()):
                series = [Histogram(name, each) for name, each in values.items()]
                plots.append(histogram(title, series, unit=unit))
    return change


def _on_grid(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights in steps of the device's grid, before they are clamped."""
    return np.rint(32 * weights)


def _weights_at_limit(layer: Dense, weights: NDArray[np.float64]) -> Iterator[str]:
    """Where many weights stand at an end of the device's grid, which may keep them from more."""
    if layer.bits is None:
        return
    low, high = -(1 << (layer.bits - 1)), (1 << (layer.bits - 1)) - 1
    steps = _on_grid(weights)
    count = int(np.count_nonzero((steps <= low) | (steps >= high)))
    if count and count >= MIN_SHARE_AT_LIMIT * len(weights):
        yield (
            f"{count:,} of the {plural(len(weights), 'weight')} of layer “{layer.name}” are at an "
            f"end of the device's grid, {number(low / 32)} or {number(high / 32)}, and cannot "
            f"become larger: a lower threshold would make all weights count for more."
        )


def _decays_at_limit(layer: Dense, what: str, shares: NDArray[np.float64]) -> Iterator[str]:
    """Where decays have come to 0 or 1 in the device's integers."""
    units = np.rint(DECAY_ONE * shares)
    for end, meaning in ((0, "never leak"), (DECAY_ONE, "forget all in one step")):
        if count := int(np.count_nonzero(units == end)):
            yield (
                f"{count:,} of {plural(len(shares), what)} of layer “{layer.name}” became "
                f"{end // DECAY_ONE} in the device's integers: such neurons {meaning}."
            )


def _weight_table() -> Table:
    return Table(
        caption="Weights of the synapses in units of the threshold: mean ± standard deviation, and "
        "range. The change is the length of the difference in parts of the length before.",
        headings=["Layer", "Before", "Range before", "Best", "Range of the best", "Change"],
    )


def _weight_row(layer: Dense, values: Values) -> list[str]:
    cells = [layer.name]
    for name in (BEFORE, AFTER):
        if name in values:
            each = values[name]
            cells.append(f"{number(float(np.mean(each)))} ± {number(float(np.std(each)))}")
            cells.append(f"{number(float(np.min(each)))} to {number(float(np.max(each)))}")
        else:
            cells += [NOTHING] * 2
    change = None
    if BEFORE in values and AFTER in values and (length := np.linalg.norm(values[BEFORE])):
        change = float(np.linalg.norm(values[AFTER] - values[BEFORE]) / length)
    return [*cells, percent(change)]


def _decay_table() -> Table:
    return Table(
        caption="Decays that training changed: the share lost a step, and the time after which "
        "1/e is left. Where each neuron has its own: the mean, or the time that belongs to it, and "
        "the range in brackets.",
        headings=["Layer", "Decay", "Before", "As time", "Best", "As time"],
        texts=(0, 1),
    )


def _decay_row(layer: Dense, what: str, values: Values, step_ms: float) -> list[str]:
    cells = [layer.name, what]
    for name in (BEFORE, AFTER):
        if name in values:
            shares = values[name]
            cells += [spread(shares), spread(shares, lambda share: time_constant(share, step_ms))]
        else:
            cells += [NOTHING] * 2
    return cells
