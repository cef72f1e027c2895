"""The figures over epochs: loss, accuracy, learning rate, gradients, spike rates and time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdesc.report.plots import Curve, Histogram, Plot, curves, histogram
from netdesc.report.rates import LayerRates
from netdesc.report.run import RunData

RING = "The ring marks the best epoch."
SILENCE = "The dotted line is the loss of an output without spikes."
ZOOM = "Drag over a part of a figure to zoom in; double-click to show all."


def training_plots(run: RunData) -> list[Plot]:
    """Plots loss, accuracy and learning rate, if the run has them."""
    return list(_training_plots(run))


def _training_plots(run: RunData) -> Iterator[Plot]:
    metrics = run.metrics
    sizes, unit, note = _divisors(run)
    losses = _by_part(run, "loss", sizes)
    if losses:
        part = "validation" if metrics.selection_metric == "validation_loss" else "train"
        silent_loss = run.silent_loss
        levels = {} if silent_loss is None else {"silent output": silent_loss / sizes[part]}
        caption = " ".join(filter(None, [note, RING, SILENCE if levels else "", ZOOM]))
        yield curves(
            "Loss", metrics.epochs, losses, unit=unit, caption=caption, scale="log", levels=levels
        )
    if accuracies := _by_part(run, "accuracy"):
        yield curves(
            "Accuracy", metrics.epochs, accuracies, unit="correct", caption=RING, scale="percent"
        )
    if metrics.has("learning_rate"):
        rates = metrics.columns["learning_rate"]
        scale = "log on demand" if np.nanmax(rates) > 10 * np.nanmin(rates) else "linear"
        columns = [Curve("learning rate", rates)]
        yield curves("Learning rate", metrics.epochs, columns, unit="learning rate", scale=scale)


def _by_part(run: RunData, metric: str, divisors: dict[str, int] | None = None) -> list[Curve]:
    """Returns the curves of a metric for training and validation, divided by ``divisors``.

    The best epoch is marked on the curve of the part whose loss selects it.
    """
    metrics, parts = run.metrics, list[Curve]()
    for part, prefix in (("train", ""), ("validation", "validation_")):
        name = prefix + metric
        if metrics.has(name):
            values = metrics.columns[name] / (divisors[part] if divisors else 1)
            is_known = metrics.value_at(name, metrics.best) is not None
            mark = (
                metrics.best if is_known and metrics.selection_metric == f"{prefix}loss" else None
            )
            parts.append(Curve("training" if part == "train" else part, values, mark))
    return parts


def _divisors(run: RunData) -> tuple[dict[str, int], str, str]:
    """Returns the divisor of each part's loss, the unit of the axis, and a note about the division.

    If the losses are sums over the samples of a part, each loss is divided by the number of
    samples, so that the losses can be compared. Otherwise the divisors are 1.
    """
    sizes = run.record.samples
    parts = [sizes.get(part, 0) for part in ("train", "validation")]
    if run.graph.loss.reduction == "mean" or not run.metrics.has("validation_loss") or 0 in parts:
        return {"train": 1, "validation": 1}, "loss", ""
    note = (
        f"Both losses are sums over samples. To be comparable, they are divided by the number of "
        f"samples: {parts[0]:,} for training and {parts[1]:,} for validation."
    )
    return sizes, "loss per sample", note


def gradient_plot(run: RunData) -> Plot | None:
    return _by_layer(
        run, "gradient_norms", "Gradient norms",
        "The norm of each layer's gradient before clipping. A layer with a much smaller norm than "
        "the others hardly learns.", "gradient norm", scale="log",
    )  # fmt: skip


def rate_plot(run: RunData) -> Plot | None:
    return _by_layer(
        run, "spike_rates", "Spike rates during training",
        "Spikes per neuron and step, over all training samples.", "spikes per step",
        scale="linear",
    )  # fmt: skip


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


def timing_plot(run: RunData) -> Plot | None:
    seconds = run.metrics.columns["seconds"]
    if not np.isfinite(seconds).any():
        return None
    columns = [Curve("seconds", seconds)]
    return curves("Seconds per epoch", run.metrics.epochs, columns, unit="s", scale="log")


def rate_histograms(run: RunData, rates: list[LayerRates]) -> list[Plot]:
    """Plots a histogram of the neurons' spike rates for each layer with figures."""
    unit = "spikes per step"
    return [
        histogram(f"Layer {layer.name}", [Histogram("neurons", layer.rates)], unit=unit)
        for layer in rates
        if layer.name in run.plotted_layers
    ]
