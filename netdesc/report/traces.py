"""The figure of filtered spike trains, which a spike-time loss compares.

The reader chooses a sample and a neuron. The page holds the spikes of each neuron. The page's
script applies the filter of the loss to them and draws the curves (the "traces").
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.description.models.loss import SpikeTime
from netdesc.graph import Graph
from netdesc.report.coincidence import spike_pairs
from netdesc.report.format import number
from netdesc.report.plots import Plot, axis, scatter, time_layout
from netdesc.report.run import RunData
from netdesc.runs.activity_file import SpikeRaster

MAX_STEPS = 20_000
"""The largest number of steps of a trace. Later steps are left out."""

Trains = dict[int, tuple[list[int], list[int]]]
"""Neuron -> the steps of its spikes in the target and in the output."""

SHOWN_STEPS = 400
"""The number of steps that the figure shows before the reader zooms."""


class Traces:
    """The figure of traces, whose curves are empty in ``plot``.

    The page's script computes the curves from ``data``, an object for JSON. ``neurons`` and
    ``samples`` are the numbers of output neurons and of samples. ``neuron`` is the neuron that is
    shown first: the one with most unmatched spikes in the first sample (see ``_trains``). ``note``
    says what was left out.
    """

    def __init__(
        self, graph: Graph, loss: SpikeTime, pairs: Sequence[tuple[SpikeRaster, SpikeRaster]]
    ) -> None:
        cuts = [raster.cut for pair in pairs for raster in pair if raster.cut is not None]
        steps, step_ms = min([graph.output_steps, MAX_STEPS, *cuts]), graph.output_step_ms
        by_sample = [_trains(*pair, steps) for pair in pairs]
        self.neurons, self.samples = math.prod(graph.output_shape), len(pairs)
        self.neuron = next(iter(by_sample[0]), 0)
        shown = _shown_steps(by_sample[0].get(self.neuron, ([], [])), steps)
        self.plot = _plot(loss, [step * step_ms for step in shown])
        self.note = f"The figure ends at step {steps:,}." if steps < graph.output_steps else ""
        self.data = {
            "decay": math.exp(-step_ms / loss.time_constant_ms),
            "order": loss.filter_order,
            "length": loss.filter_steps,
            "steps": steps,
            "stepMs": step_ms,
            "trains": by_sample,
        }


def traces(run: RunData) -> Traces | None:
    """Builds the figure; None without a spike-time loss, or without a sample with a target."""
    loss, pairs = run.graph.loss.spike_filter, spike_pairs(run.samples)
    return Traces(run.graph, loss, pairs) if loss is not None and pairs else None


def _trains(output: SpikeRaster, target: SpikeRaster, steps: int) -> Trains:
    """Returns the spikes of each neuron with spikes, before the step ``steps``; first those with
    most unmatched spikes, which only the target or only the output has."""
    trains: Trains = {}
    for kind, raster in enumerate((target, output)):
        shown = raster.events[raster.events[:, 0] < steps]
        for step, neuron in np.unique(shown, axis=0).tolist():
            trains.setdefault(neuron, ([], []))[kind].append(step)
    unmatched = {key: len(set(first) ^ set(second)) for key, (first, second) in trains.items()}
    return {key: trains[key] for key in sorted(trains, key=lambda key: -unmatched[key])}


def _shown_steps(trains: tuple[list[int], list[int]], steps: int) -> tuple[int, int]:
    """Returns the first of the ``SHOWN_STEPS`` steps with most spikes, and the one after them."""
    length = min(steps, SHOWN_STEPS)
    spikes = np.sort(np.concatenate(trains).astype(np.int64))
    if spikes.size == 0:
        return 0, length
    counts = np.searchsorted(spikes, spikes + length) - np.arange(spikes.size)
    first = min(max(int(spikes[np.argmax(counts)]) - length // 20, 0), steps - length)
    return first, first + length


def _plot(loss: SpikeTime, shown_ms: list[float]) -> Plot:
    exponentials = amount(loss.filter_order, "exponential")
    caption = (
        f"The loss is the {loss.reduction} of the squares of the difference. Its filter replaces "
        f"each spike by {exponentials} of {number(loss.time_constant_ms)} ms"
        f"{'' if loss.filter_order == 1 else ', convolved with each other'}. Double-click on the "
        f"figure to see all steps."
    )
    data, empty = list[dict[str, Any]](), np.zeros(0)
    for name, colour, at in (("target", 1, "y"), ("output", 2, "y"), ("difference", 6, "y2")):
        line = {"color": f"var(--c{colour})", "width": 1.5}
        data.append(scatter(name, empty, empty, "y:.4g", mode="lines", yaxis=at, line=line))
    layout = time_layout(
        axis("time (ms)", range=shown_ms, anchor="y2"),
        {"title": {"text": "filtered spikes"}, "domain": [0.45, 1]},
        yaxis2={"title": {"text": "difference"}, "domain": [0, 0.38]},
        uirevision="traces",  # keeps the reader's zoom when another neuron is chosen
    )
    alt = "Curves of the filtered target and output of one neuron, and of their difference."
    return Plot("Filtered traces", caption, alt, data, layout)
