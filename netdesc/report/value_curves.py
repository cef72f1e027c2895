"""The figure of an output and its target values over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from netdesc.graph import Graph
from netdesc.report.format import number
from netdesc.report.plots import TICK_FORMAT, Plot, line_style, time_curve
from netdesc.runs.activity_file import Sample

_COMPARED = {
    "each_step": "each step of the output",
    "mean": "the mean of the output over the steps",
    "sum": "the sum of the output over the steps",
    "max": "the largest output of the steps",
    "last": "the output in the last step",
}


def value_curves(graph: Graph, sample: Sample, title: str) -> Plot | None:
    """Plots the output and the target of each neuron over time; None if there are no values."""
    values, goals, loss = sample.values, sample.goals, graph.loss
    if values is None or goals is None or loss.learns_from != "target values":
        return None
    if len(goals) == 1:
        goals = np.repeat(goals, len(values), axis=0)
    data: list[dict[str, Any]] = []
    neurons = values.shape[1]
    for neuron in range(neurons):
        which = "" if graph.output_shape == (1,) else f" {neuron}"
        for name, column, dash in (("target", goals, "dot"), ("output", values, "solid")):
            # Colours tell neurons apart; with a single neuron, target and output as elsewhere.
            line = line_style(neuron if neurons > 1 else int(name == "output")) | {"dash": dash}
            curve = time_curve(f"{name}{which}", column[:, neuron], graph.output_step_ms, line)
            data.append(curve)
    caption = f"The loss compares {_COMPARED[loss.over]} with the target."
    if loss.skip_steps:
        caption += f" The first {number(loss.skip_steps * graph.output_step_ms)} ms do not count."
    if neurons < np.prod(graph.output_shape):
        caption += f" The figure shows the first {neurons} output neurons."
    layout = {
        "xaxis": {"title": {"text": "time (ms)"}, "tickformat": TICK_FORMAT},
        "yaxis": {"title": {"text": "value"}, "tickformat": TICK_FORMAT},
        "hovermode": "x unified",
        "showlegend": True,
    }
    alt = f"{title}: curves of target and output over time."
    return Plot("Target and output", caption, alt, data, layout)
