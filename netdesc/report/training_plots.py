"""The figures over epochs: loss, accuracy, learning rate, gradients, spike rates and time."""

from collections.abc import Iterator

import numpy as np

from netdesc.report.plots import Curve, Plot, curves, histogram
from netdesc.report.run import RunData
from netdesc.runs.folder import METRICS, RECORD

RING = "The ring marks the best epoch."
SILENCE = "The dotted line is the loss of an output without spikes."
FILES = f"Here epochs count from 1; {METRICS} and {RECORD} count from 0"
CONFIDENCE = "Confidence is the predicted class's share of the spikes, or its probability."
ZOOM = "Drag over a part of a figure to zoom in; double-click to show all."


def training_plots(run: RunData) -> Iterator[Plot]:
    """Plots loss, accuracy and learning rate, if the run has them."""
    metrics = run.metrics
    if losses := _by_part(run, "loss"):
        silent_loss = run.silent_loss
        levels = {} if silent_loss is None else {"silent output": silent_loss}
        files = f"{FILES}{' and hold undivided losses' if run.loss_unit else ''}."
        caption = " ".join(
            filter(None, [_division_note(run), RING, SILENCE if levels else "", ZOOM, files])
        )
        yield curves(
            "Loss", metrics.epochs, losses, unit=f"loss{run.loss_unit}", caption=caption,
            scale="log", levels=levels,
        )  # fmt: skip
    if accuracies := _by_part(run, "accuracy"):
        caption = RING if metrics.at_best("confidence") is None else f"{RING} {CONFIDENCE}"
        yield curves(
            "Accuracy", metrics.epochs, accuracies, unit="correct", caption=caption, scale="percent"
        )
    if metrics.has("learning_rate"):
        rates = metrics.columns["learning_rate"]
        scale = "log on demand" if np.nanmax(rates) > 10 * np.nanmin(rates) else "linear"
        columns = [Curve("learning rate", rates)]
        yield curves("Learning rate", metrics.epochs, columns, unit="learning rate", scale=scale)


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


def gradient_plot(run: RunData) -> Plot | None:
    return _by_layer(
        run, "gradient_norms", "Gradient norms",
        "The norm of each layer's gradient before clipping. With sgd, a layer with a much smaller "
        "norm than the others hardly learns.", "gradient norm", scale="log",
    )  # fmt: skip


def rate_plot(run: RunData) -> Plot | None:
    return _by_layer(
        run, "spike_rates", "Spike rates during training",
        "Spikes, or outputs other than 0, per neuron and step, over all training samples.",
        _rate_unit(run.spiking_layers.issuperset(run.plotted_layers)),
        scale="linear",
    )  # fmt: skip


def _rate_unit(is_spiking: bool) -> str:
    return "spikes per step" if is_spiking else "outputs other than 0 per step"


def _by_layer(
    run: RunData, kind: str, title: str, caption: str, unit: str, *, scale: str
) -> Plot | None:
    columns = [
        Curve(name, column)
        for (each, name), column in run.metrics.by_layer.items()
        if each == kind and np.isfinite(column).any()
    ]
    if not columns:
        return None
    return curves(title, run.metrics.epochs, columns, unit=unit, caption=caption, scale=scale)


def rate_histograms(run: RunData) -> list[Plot]:
    """Plots a histogram of the neurons' spike rates for each layer with figures."""
    units = {layer: _rate_unit(layer in run.spiking_layers) for layer in run.rates}
    return [
        histogram(f"Layer {layer}", {"neurons": rates}, "neurons", unit=units[layer])
        for layer, rates in run.rates.items()
        if layer in run.plotted_layers
    ]
