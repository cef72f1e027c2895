"""The figures over epochs: loss, accuracy, learning rate, gradients, spike rates and time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from netdesc.report.format import TEXTS
from netdesc.report.plots import Curve, Plot, curves, histogram
from netdesc.report.run import RunData
from netdesc.runs.folder import METRICS, RECORD

RING = "The ring marks the best epoch."


def training_plots(run: RunData) -> Iterator[Plot]:
    """Plots loss, accuracy and learning rate, if the run has them."""
    metrics, epochs = run.metrics, run.metrics.epochs
    if losses := _by_part(run, "loss"):
        levels = {} if run.silent_loss is None else {"silent output": run.silent_loss}
        sentences = [
            _division_note(run),
            RING,
            "The dotted line is the loss of an output without spikes." if levels else "",
            "Drag over a part of a figure to zoom in; double-click to show all. Here epochs count "
            f"from 1; {METRICS} and {RECORD} count from 0"
            f"{' and hold undivided losses' if run.loss_unit else ''}.",
        ]
        unit, caption = f"loss{run.loss_unit}", " ".join(filter(None, sentences))
        yield curves("Loss", epochs, losses, unit, caption, "log", levels)
    if accuracies := _by_part(run, "accuracy"):
        caption = RING
        if metrics.at_best("confidence") is not None:
            confidence = "the predicted class's share of the spikes, or its probability"
            caption = f"{RING} Confidence is {confidence}."
        yield curves("Accuracy", epochs, accuracies, "correct", caption, "percent")
    if metrics.has("learning_rate"):
        rates = metrics.columns["learning_rate"]
        scale = "log on demand" if np.nanmax(rates) > 10 * np.nanmin(rates) else "linear"
        name = "learning rate"
        yield curves(name.capitalize(), epochs, [Curve(name, rates)], name, scale=scale)


def _by_part(run: RunData, metric: str) -> list[Curve]:
    """Returns the curves of a metric; the best epoch is marked on the one that selects it."""
    metrics, parts = run.metrics, list[Curve]()
    for part, prefix in (("training", ""), ("validation", "validation_")):
        name = prefix + metric
        if metrics.has(name):
            is_known = metrics.value_at(name, metrics.best) is not None
            is_of_part = metrics.selection_metric.startswith("validation_") == bool(prefix)
            mark = metrics.best if is_known and is_of_part else None
            parts.append(Curve(part, metrics.columns[name], mark))
    return parts


def _division_note(run: RunData) -> str:
    """Says by which numbers of samples the losses were divided; empty if they were not."""
    divisors = run.loss_scale.divisors
    if not run.loss_unit:
        return ""
    samples = f"{divisors['loss']:,} for training"
    if run.metrics.has("validation_loss"):
        samples += f" and {divisors['validation_loss']:,} for validation"
    return f"A loss is the sum over samples, divided by their number: {samples}."


def layer_plot(run: RunData, metric: str, unit: str) -> Plot | None:
    """Plots a metric of each layer, a name in ``PER_LAYER``; None if the run lacks it."""
    columns = [
        Curve(layer, column)
        for (name, layer), column in run.metrics.by_layer.items()
        if name == metric and np.isfinite(column).any()
    ]
    words: dict[str, Any] = {**TEXTS["figures"][metric], "unit": unit}
    return curves(epochs=run.metrics.epochs, columns=columns, **words) if columns else None


def rate_unit(is_spiking: bool) -> str:
    return "spikes per step" if is_spiking else "outputs other than 0 per step"


def rate_histograms(run: RunData) -> list[Plot]:
    """Plots a histogram of the neurons' spike rates for each layer with figures."""
    return [
        histogram(
            f"Layer {layer}", {"neurons": rates}, "neurons", rate_unit(layer in run.spiking_layers)
        )
        for layer, rates in run.rates.items()
        if layer in run.plotted_layers
    ]
