"""The section of neurons: their equations, and the states of a few of them over time."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.neuron_text import neuron_text
from netdesc.report.activity import LayerTraces
from netdesc.report.format import join_words, number, plural
from netdesc.report.plots import COLOURS, TICK_FORMAT, Plot, numbers
from netdesc.report.run import RunData

MAX_TEXTS = 12
"""The largest number of neurons whose equations are printed."""


@dataclass
class NeuronView:
    """A neuron of the document: ``text`` is what ``netdesc explain`` prints of it.

    ``plots`` maps the layers of these neurons to the figures of a few neurons.
    """

    name: str
    text: str
    plots: dict[str, list[Plot]] = field(default_factory=dict[str, list[Plot]])

    @property
    def has_plots(self) -> bool:
        return any(self.plots.values())

    @property
    def title(self) -> str:
        plural = "s" if len(self.plots) > 1 else ""
        return f"{self.name}, in layer{plural} {join_words(list(self.plots))}"


def neuron_views(run: RunData) -> list[NeuronView]:
    """Returns each neuron of the network, with figures if the run has stored their states."""
    views: dict[str, NeuronView] = {}
    traces = run.activity.traces if run.activity is not None else {}
    for layer in run.graph.neuron_layers:
        name = layer.neuron_name
        if name not in views and len(views) < MAX_TEXTS:
            views[name] = NeuronView(name, neuron_text(layer.neuron, is_example=False, width=100))
        if name in views:
            found = traces.get(layer.name) if layer.name in run.plotted_layers else None
            views[name].plots[layer.name] = (
                [] if found is None else _plots(layer.name, layer.delay, found, run.graph.step_ms)
            )
    return list(views.values())


def _plots(layer: str, delay: int, traces: LayerTraces, step_ms: float) -> list[Plot]:
    return [
        _plot(f"{layer}, neuron {neuron:,}", place, delay, traces, step_ms)
        for place, neuron in enumerate(traces.neurons)
    ]


def _plot(title: str, place: int, delay: int, traces: LayerTraces, step_ms: float) -> Plot:
    """Plots the states, the threshold and the spikes of one neuron, and its inputs below them."""
    steps = traces.output.shape[1]
    states = {name: values[place] for name, values in traces.states.items()}
    data = [_curve(*each, index, step_ms) for index, each in enumerate(states.items())]
    if traces.threshold is not None:
        curve = _curve("threshold", traces.threshold[place], 0, step_ms)
        data.append(curve | {"line": {"color": "var(--soft)", "width": 1.5, "dash": "dot"}})
        fired = np.flatnonzero(traces.output[place, delay:])
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": "spike", "hoverinfo": "skip",
                "x": numbers(fired * step_ms), "y": numbers(traces.threshold[place, fired]),
                "marker": {"color": "var(--bad)", "size": 7, "symbol": "triangle-up"},
            }
        )  # fmt: skip
    for index, (name, values) in enumerate(traces.inputs.items(), len(data)):
        curve = _curve(f"input {name}", values[place], index, step_ms)
        data.append(curve | {"yaxis": "y2", "showlegend": len(traces.inputs) > 1})
    layout = {
        "xaxis": {
            "title": {"text": "time (ms)"}, "tickformat": TICK_FORMAT, "anchor": "y2",
            "range": [0, steps * step_ms],
        },
        "yaxis": {"title": {"text": "states"}, "domain": [0.36, 1], "tickformat": TICK_FORMAT},
        "yaxis2": {"title": {"text": "input"}, "domain": [0, 0.26], "tickformat": TICK_FORMAT},
        "hovermode": "x unified",
        "showlegend": True,
    }  # fmt: skip
    count = int(np.count_nonzero(traces.output[place]))
    handed_on = "spike" if traces.threshold is not None else "value other than 0"
    caption = f"{plural(count, handed_on)} in {number(steps * step_ms)} ms."
    alt = f"Curves of the states {join_words(list(states))} and of the input of {title}."
    return Plot(title, caption, alt, data, layout, is_small=True)


def _curve(name: str, values: NDArray[np.floating], index: int, step_ms: float) -> dict[str, Any]:
    label = html.escape(name, quote=False)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label,
        "x0": 0,
        "dx": step_ms,
        "y": numbers(values),
        "line": {"color": f"var(--c{index % COLOURS + 1})", "width": 1.5},
        "hovertemplate": f"{label}: %{{y:.4g}}<extra></extra>",
    }
