"""The pictures of the report: samples with input, target and output, and the output over epochs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Classifier, Graph
from netdesc.report.format import TEXTS, number
from netdesc.report.pictures import (
    SMALL,
    WIDE,
    Picture,
    overlay_picture,
    raster_picture,
    still_picture,
)
from netdesc.report.plots import Plot, axis, bars, line_style, time_curve, time_layout
from netdesc.report.run import RunData
from netdesc.runs.activity_file import Activity, Sample


@dataclass(frozen=True)
class EpochSlider:
    """A slider over the epochs, which shows the output for the first sample, at first the last one.

    ``subject`` is a sentence about the sample. Each picture has a label.
    """

    subject: str
    labels: list[str]
    pictures: list[Picture]


class SampleView:
    """The figures of a sample, and its prediction in words, ``decision``."""

    def __init__(self, run: RunData, title: str, sample: Sample) -> None:
        self.title, classifier = title, run.graph.classifier
        self.still = self.overlay = None
        if sample.label is not None and sample.input is not None:
            alt = f"{title}: the input as an image"
            self.still = still_picture(alt, sample.input, run.graph.input_shape)
        rasters = {
            "Input": sample.input,
            **{f"Layer {name}": raster for name, raster in sample.hidden.items()},
            "Target": sample.target,
            "Output": sample.output,
        }
        self.rasters = [
            raster_picture(name, f"{title}: {name[0].lower()}{name[1:]}", raster, SMALL)
            for name, raster in rasters.items()
            if raster is not None
        ]
        pictures = [*self.rasters]
        if sample.target is not None and sample.output is not None:
            alt = f"{title}: target and output in one picture. Target"
            images = sample.target, sample.output
            self.overlay = overlay_picture("Target and output", alt, *images, WIDE)
            pictures.append(self.overlay)
        self.can_be_enlarged = any(picture.large for picture in pictures)
        self.curves = value_curves(run.graph, sample, title)
        self.decision = _decision(sample, classifier)
        self.rates = _rates(sample, title, classifier)


def epoch_slider(run: RunData) -> EpochSlider | None:
    """Builds the slider over the epochs; None without snapshots or spikes of the last neurons."""
    activity, spike = run.activity, run.graph.neuron_layers[-1].neuron.equations().spike
    if activity is None or not activity.snapshots or spike is None:
        return None
    alt = f"Output of the first sample after {amount([*activity.snapshots][-1], 'epoch')}"
    pictures = [raster_picture("Output", alt, each, WIDE) for each in activity.snapshots.values()]
    labels = [_moment(run, epochs) for epochs in activity.snapshots]
    return EpochSlider(_subject(activity), labels, pictures)


def _subject(activity: Activity) -> str:
    text = f"The first {activity.part} sample"
    if not activity.samples or activity.samples[0].label is None:
        return f"{text}."
    label, prediction = activity.samples[0].label, activity.samples[0].prediction
    result = "no class" if prediction is None or prediction < 0 else f"class {prediction}"
    weights = "best weights" if activity.epoch else "weights before training"
    return f"{text}, of class {label}. Prediction with the {weights}: {result}."


def _moment(run: RunData, epochs: int) -> str:
    """Returns a picture's label: its epochs, and the loss of the epoch that begins with it."""
    when = f"after {amount(epochs, 'epoch')}" if epochs else "before training"
    loss = run.metrics.value_at("loss", epochs) if epochs < len(run.metrics) else None
    return when if loss is None else f"{when}, loss {number(loss)}"


def sample_views(run: RunData) -> list[SampleView]:
    """Returns the views of the samples in the activity file; empty if the run has no such file."""
    if len(run.samples) == 1:
        return [SampleView(run, "The sample", run.samples[0])]
    return [SampleView(run, f"Sample {n}", sample) for n, sample in enumerate(run.samples, 1)]


def _decision(sample: Sample, classifier: Classifier | None) -> str:
    if sample.label is None or sample.prediction is None:
        return ""
    if sample.prediction < 0:
        measure = "output" if classifier is None else classifier.measure
        return f"No prediction, because the {measure} of all is 0. Label: class {sample.label}."
    is_right = sample.prediction == sample.label
    verdict = "correct" if is_right else f"wrong, the label is class {sample.label}"
    return f"Prediction: class {sample.prediction}, {verdict}."


def _rates(sample: Sample, of: str, classifier: Classifier | None) -> Plot | None:
    if sample.rates is None or len(sample.rates) > 1000:
        return None
    measure = "" if classifier is None else replace(classifier, window_steps=None).measure
    is_rate = measure in ("", "spike rate")
    title, unit = ("Spikes", "spikes per step") if is_rate else ("Output", measure)
    label = f"The label, class {sample.label}, is orange."
    plot = bars(f"{title} by class", label, sample.rates, sample.label, unit)
    return replace(plot, alt=f"{of}: {plot.alt}")


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
    caption = f"The loss compares {TEXTS['compared'][loss.over]} with the target."
    if loss.skip_steps:
        caption += f" The first {number(loss.skip_steps * graph.output_step_ms)} ms do not count."
    if neurons < np.prod(graph.output_shape):
        caption += f" The figure shows the first {neurons} output neurons."
    layout = time_layout(axis("time (ms)"), axis("value"))
    alt = f"{title}: curves of target and output over time."
    return Plot("Target and output", caption, alt, data, layout)
