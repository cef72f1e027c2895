"""What training changed: weights and learned decays, before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Dense
from netdesc.report.errors import ReportError
from netdesc.report.plots import Heap, Plot, histogram
from netdesc.report.run import Run
from netdesc.report.tables import Table
from netdesc.report.weights import open_weights
from netdesc.report.words import (
    NOTHING,
    counted,
    mean_and_deviation,
    number,
    percent,
    spread,
    time_constants,
)

DECAY_ONE = 4096
"""The device's integer for a decay of 1."""
PILED_SHARE = 0.001
"""Of a layer's weights: so many at an end of the grid are worth a note."""
BEFORE, AFTER = "before training", "best"


@dataclass(frozen=True)
class Learned:
    """Tables and figures of what was learned. ``decays`` is None where no decay is learned."""

    weights: Table | None
    weight_plots: list[Plot]
    decays: Table | None
    decay_plots: list[Plot]
    zeroed: list[str]
    """Layers whose best weights are all 0 in the device's integers."""
    notes: list[str]
    """Sentences on best weights and decays that stand where their range ends."""
    damaged: list[str]
    """What is wrong with files of weights that are left out."""


def learned(run: Run) -> Learned:
    """Reads both files of weights, a tensor at a time. One that is damaged is left out."""
    paths = {BEFORE: run.initial_path, AFTER: run.best_path}
    with contextlib.suppress(ReportError):
        return _learned(run, paths)
    damaged: list[str] = []
    for name, path in list(paths.items()):  # which one is it?
        try:
            _learned(run, {name: path})
        except ReportError as error:
            del paths[name]
            damaged.append(f"{error}. Weights and decays are shown without this file.")
    return replace(_learned(run, paths), damaged=damaged)


def _learned(run: Run, paths: Mapping[str, Path]) -> Learned:
    """The same, of the files that there are. ReportError where one is damaged."""
    rows: list[list[str]] = []
    weight_plots: list[Plot] = []
    decay_rows: list[list[str]] = []
    decay_plots: list[Plot] = []
    zeroed: list[str] = []
    notes: list[str] = []
    drawn = {layer.name for layer in run.drawn}
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(open_weights(path)) for name, path in paths.items()}
        there = {name: file for name, file in files.items() if file is not None}
        for layer in run.dense if there else []:
            values = {name: file.synapses(layer).reshape(-1) for name, file in there.items()}
            rows.append(_weight_row(layer, values))
            if AFTER in values and layer.bits is not None and not _on_grid(values[AFTER]).any():
                zeroed.append(layer.name)
            if AFTER in values:
                notes += _piled(layer, values[AFTER])
            if layer.name in drawn:
                weight_plots.append(_histogram(f"weights of {layer.name}", values, "weight"))
            for decay in layer.neuron.learn:
                shares = {name: file.decay(layer, decay) for name, file in there.items()}
                if AFTER in shares:
                    notes += _extreme(layer, decay, shares[AFTER])
                decay_rows.append(_decay_row(layer, decay, shares, run.graph.step_ms))
                if layer.name in drawn and any(len(each) > 1 for each in shares.values()):
                    what = decay.replace("_", " ")
                    title = f"{what} of {layer.name}"
                    decay_plots.append(_histogram(title, shares, "share lost a step"))
    return Learned(
        _weight_table(rows) if rows else None,
        weight_plots,
        _decay_table(decay_rows) if decay_rows else None,
        decay_plots,
        zeroed,
        notes,
        [],
    )


def _on_grid(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights in steps of the device's grid, before they are clamped."""
    return np.rint(32 * weights)


def _piled(layer: Dense, weights: NDArray[np.float64]) -> Iterator[str]:
    """Where many weights stand at an end of the device's grid, which may keep them from more."""
    if layer.bits is None:
        return
    low, high = -(1 << (layer.bits - 1)), (1 << (layer.bits - 1)) - 1
    steps = _on_grid(weights)
    count = int(np.count_nonzero((steps <= low) | (steps >= high)))
    if count >= max(1, PILED_SHARE * len(weights)):
        stand = "stands" if count == 1 else "stand"
        what = f"{count:,} of the {counted(len(weights), 'weight')} of layer “{layer.name}” {stand}"
        yield (
            f"{what} at an end of the device's grid, {number(low / 32)} or {number(high / 32)}, "
            f"and cannot become larger: a lower threshold would make all weights count for more."
        )


def _extreme(layer: Dense, decay: str, shares: NDArray[np.float64]) -> Iterator[str]:
    """Where decays have come to 0 or 1 in the device's integers."""
    units, what = np.rint(DECAY_ONE * shares), decay.replace("_", " ")
    for end, meaning in ((0, "never leak"), (DECAY_ONE, "forget all in one step")):
        count = int(np.count_nonzero(units == end))
        if not count:
            continue
        who = f"{count:,} of the {counted(len(shares), 'neuron')}"
        if not layer.neuron.per_channel:
            who = "The neurons"
        yield (
            f"{who} of layer “{layer.name}” learned a {what} of {end // DECAY_ONE}, to the "
            f"device's precision: they {meaning}."
        )


Values = dict[str, NDArray[np.float64]]


def _histogram(title: str, values: Values, unit: str) -> Plot:
    heaps = [Heap(name, each) for name, each in values.items()]
    return histogram(title[0].upper() + title[1:], "", heaps, unit=unit)


def _weight_row(layer: Dense, values: Values) -> list[str]:
    before, after = values.get(BEFORE), values.get(AFTER)
    change = NOTHING
    if before is not None and after is not None and before.shape == after.shape:
        length = float(np.linalg.norm(before))
        change = percent(float(np.linalg.norm(after - before)) / length) if length else NOTHING
    return [layer.name, *_statistics(before), *_statistics(after), change]


def _statistics(values: NDArray[np.float64] | None) -> list[str]:
    if values is None:
        return [NOTHING] * 2
    ends = f"{number(float(np.min(values)))} to {number(float(np.max(values)))}"
    return [mean_and_deviation(values), ends]


def _weight_table(rows: list[list[str]]) -> Table:
    return Table(
        caption="Weights of the synapses in units of the threshold: mean ± standard deviation, and "
        "range. The change is the length of the difference in parts of the length before.",
        headings=["Layer", "Before", "Range before", "Best", "Range of the best", "Change"],
        rows=rows,
    )


def _decay_row(layer: Dense, decay: str, shares: Values, step_ms: float) -> list[str]:
    cells = [layer.name, decay.replace("_", " ")]
    for name in (BEFORE, AFTER):
        values = shares.get(name)
        if values is None:
            cells += [NOTHING] * 2
            continue
        cells += [spread(values), time_constants(values, step_ms)]
    return cells


def _decay_table(rows: list[list[str]]) -> Table:
    return Table(
        caption="Decays that training changed: the share lost a step, and the time after which "
        "1/e is left. Where each neuron has its own: the mean, or the time that belongs to it, and "
        "the range in brackets.",
        headings=["Layer", "Decay", "Before", "As time", "Best", "As time"],
        rows=rows,
        texts=(0, 1),
    )
