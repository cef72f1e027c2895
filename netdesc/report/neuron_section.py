"""The section of neurons: their equations, and the states of a few of them over time."""

from dataclasses import dataclass, field

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.description.neuron_text import neuron_text
from netdesc.graph import SynapticNode
from netdesc.report.format import join_words, number
from netdesc.report.plots import Plot, axis, line_style, numbers, time_curve, time_layout
from netdesc.report.run import RunData
from netdesc.runs.activity_file import LayerTraces

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
        layers = "layers" if len(self.plots) > 1 else "layer"
        return f"{self.name}, in {layers} {join_words(list(self.plots))}"


def neuron_views(run: RunData) -> list[NeuronView]:
    """Returns each neuron of the network, with figures if the run has stored their states."""
    views: dict[str, NeuronView] = {}
    traces = run.activity.traces if run.activity is not None else {}
    for layer in run.graph.neuron_layers:
        if layer.section.neuron is None:
            continue
        name = layer.neuron_name
        if name not in views and len(views) < MAX_TEXTS:
            views[name] = NeuronView(name, neuron_text(layer.neuron, is_example=False, width=100))
        if name in views:
            shown = traces.get(layer.name) if layer.name in run.plotted_layers else None
            plots = views[name].plots[layer.name] = list[Plot]()
            if shown is not None:
                plots += [_plot(layer, place, shown) for place in range(len(shown.neurons))]
    return list(views.values())


def _plot(layer: SynapticNode, place: int, traces: LayerTraces) -> Plot:
    """Plots states, threshold and spikes, or graded output, of a neuron, and below them inputs."""
    title = f"{layer.name}, neuron {traces.neurons[place]:,}"
    output, step_ms = traces.output[place], layer.step_ms
    curves = [(name, values[place]) for name, values in traces.states.items()]
    is_spiking = layer.neuron.equations().spike is not None
    if not is_spiking:
        curves.append(("output", output))
    data = [
        time_curve(name, values, step_ms, line_style(index, 1.5))
        for index, (name, values) in enumerate(curves)
    ]
    level = np.zeros_like(output)
    if traces.threshold is not None:
        level = traces.threshold[place]
        line = {"color": "var(--soft)", "width": 1.5, "dash": "dot"}
        data.append(time_curve("threshold", level, step_ms, line))
    caption = ""
    delay = layer.section.delay
    if is_spiking and not (delay and delay.learn):  # learnt delays are not in the traces
        fired = np.flatnonzero(output[layer.delay + layer.section.own_delay :])
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": "spike", "hoverinfo": "skip",
                "x": numbers(fired * step_ms), "y": numbers(level[fired]),
                "marker": {"color": "var(--bad)", "size": 7, "symbol": "triangle-up"},
            }
        )  # fmt: skip
        caption = f"{amount(len(fired), 'spike')} in {number(len(output) * step_ms)} ms."
    for index, (name, values) in enumerate(traces.inputs.items(), len(data)):
        curve = time_curve(f"input {name}", values[place], step_ms, line_style(index, 1.5))
        data.append(curve | {"yaxis": "y2", "showlegend": len(traces.inputs) > 1})
    layout = time_layout(
        axis("time (ms)", anchor="y2", range=[0, len(output) * step_ms]),
        axis("states", domain=[0.36, 1]),
        yaxis2=axis("input", domain=[0, 0.26]),
    )
    alt = f"Curves of the states {join_words(list(traces.states))} and of the input of {title}."
    return Plot(title, caption, alt, data, layout, is_small=True)
