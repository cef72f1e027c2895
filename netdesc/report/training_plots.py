"""The figures of training over its epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdesc.report.plots import Curve, Histogram, Plot, curves, histogram
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run

RING = "The ring marks the best epoch."
SILENCE = "The dotted line is what an output without any spike would score."
ZOOM = "Drag over a part of a figure to zoom into it; a double click shows all again."


def training_plots(run: Run) -> list[Plot]:
    """Loss, accuracy and learning rate, as far as the run has them."""
    return list(_training_plots(run))


def _training_plots(run: Run) -> Iterator[Plot]:
    metrics = run.metrics
    sizes, unit, note = _divisors(run)
    losses = _by_part(run, "loss", sizes)
    if losses:
        watched = "validation" if metrics.watched == "validation_loss" else "train"
        levels = {} if run.silence is None else {"a silent output": run.silence / sizes[watched]}
        caption = " ".join(filter(None, [note, RING, SILENCE if levels else "", ZOOM]))
        yield curves(
            "Loss", metrics.epochs, losses, unit=unit, caption=caption, scale="log", levels=levels
        )
    if right := _by_part(run, "accuracy"):
        yield curves("Accuracy", metrics.epochs, right, unit="right", caption=RING, scale="percent")
    if metrics.has("learning_rate"):
        rates = metrics.figures["learning_rate"]
        scale = "log on demand" if np.nanmax(rates) > 10 * np.nanmin(rates) else "linear"
        given = [Curve("learning rate", rates)]
        yield curves("Learning rate", metrics.epochs, given, unit="learning rate", scale=scale)


def _by_part(run: Run, figure: str, divisors: dict[str, int] | None = None) -> list[Curve]:
    """A figure of training and of validation; the best epoch is marked where it was chosen."""
    metrics, found = run.metrics, list[Curve]()
    for part, prefix in (("train", ""), ("validation", "validation_")):
        name = prefix + figure
        if metrics.has(name):
            values = metrics.figures[name] / (divisors[part] if divisors else 1)
            is_known = metrics.at(name, metrics.best) is not None
            mark = metrics.best if is_known and metrics.watched == f"{prefix}loss" else None
            found.append(Curve("training" if part == "train" else part, values, mark))
    return found


def _divisors(run: Run) -> tuple[dict[str, int], str, str]:
    """What the loss of each part is divided by to be on one axis, the unit, and a note on it.

    Sums over unlike numbers of samples do not compare, and their means do.
    """
    sizes = run.record.samples
    parts = [sizes.get(part, 0) for part in ("train", "validation")]
    if run.graph.loss.reduction == "mean" or not run.metrics.has("validation_loss") or 0 in parts:
        return {"train": 1, "validation": 1}, "loss", ""
    note = (
        f"Both losses are sums over samples; they are divided by the numbers of samples here, "
        f"{parts[0]:,} for training and {parts[1]:,} for validation, so that they compare."
    )
    return sizes, "loss a sample", note


def gradient_plot(run: Run) -> Plot | None:
    return _by_layer(
        run, "gradient_norms", "Gradient norms",
        "The length of each layer's gradient before it is clipped. Much smaller than the others "
        "means that a layer hardly learns.", "gradient norm", scale="log",
    )  # fmt: skip


def rate_plot(run: Run) -> Plot | None:
    return _by_layer(
        run, "spike_rates", "Spike rates during training",
        "Spikes a neuron a step, over all training samples.", "spikes a step", scale="linear",
    )  # fmt: skip


def _by_layer(
    run: Run, kind: str, title: str, caption: str, unit: str, *, scale: str
) -> Plot | None:
    given = [
        Curve(name, column)
        for (each, name), column in run.metrics.by_layer.items()
        if each == kind and np.isfinite(column).any()
    ]
    if not given:
        return None
    return curves(title, run.metrics.epochs, given, unit=unit, caption=caption, scale=scale)


def timing_plot(run: Run) -> Plot | None:
    seconds = run.metrics.figures["seconds"]
    if not np.isfinite(seconds).any():
        return None
    given = [Curve("seconds", seconds)]
    return curves("Seconds an epoch", run.metrics.epochs, given, unit="s", scale="log")


def rate_histograms(run: Run, rates: list[LayerRates]) -> list[Plot]:
    """How the neurons' rates spread, a figure for each layer that is drawn."""
    return [
        histogram(f"Layer {layer.name}", [Histogram("neurons", layer.rates)], unit="spikes a step")
        for layer in rates
        if layer.name in run.drawn
    ]
