"""The figures of training over its epochs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from netdesc.report.plots import Curve, Heap, Level, Plot, curves, histogram
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run
from netdesc.report.samples import part_sizes

RING = "The ring marks the best epoch."
SILENCE = "The dotted line is what an output without any spike would score."
ZOOM = "Drag over a part of a figure to zoom into it; a double click shows all again."


def training_plots(run: Run) -> list[Plot]:
    """Loss, accuracy and learning rate, as far as the run has them."""
    return list(_training(run))


def _training(run: Run) -> Iterator[Plot]:
    metrics = run.metrics
    best = metrics.best
    losses = _losses(run)
    if losses:
        unit, note, factors = _scale(run)
        given = [
            replace(curve, values=curve.values / factors[part]) for part, curve in losses.items()
        ]
        levels = _silence(run, factors)
        caption = " ".join(filter(None, [note, RING, SILENCE if levels else "", ZOOM]))
        yield curves("Loss", caption, metrics.epochs, given, unit=unit, scales=True, levels=levels)
    names = {"accuracy": "training", "validation_accuracy": "validation"}
    given = [
        Curve(label, metrics.figures[name], mark=_mark(run, name, best))
        for name, label in names.items()
        if metrics.has(name)
    ]
    if given:
        yield curves("Accuracy", RING, metrics.epochs, given, unit="right", share=True)
    if metrics.has("learning_rate"):
        rates = metrics.figures["learning_rate"]
        spans_decades = np.nanmax(rates) > 10 * np.nanmin(rates)
        yield curves(
            "Learning rate", "", metrics.epochs, [Curve("learning rate", rates)],
            unit="learning rate", scales=bool(spans_decades), begins_linear=True,
        )  # fmt: skip


def _losses(run: Run) -> dict[str, Curve]:
    """The curves of the losses by part."""
    metrics = run.metrics
    parts = {"train": ("loss", "training"), "validation": ("validation_loss", "validation")}
    return {
        part: Curve(label, metrics.figures[name], mark=_mark(run, name, metrics.best))
        for part, (name, label) in parts.items()
        if metrics.has(name)
    }


def _silence(run: Run, factors: dict[str, int]) -> list[Level]:
    """The loss of a silent output, of the part by which an epoch is the best."""
    part = "validation" if run.metrics.watched == "validation_loss" else "train"
    return [] if run.silence is None else [Level("a silent output", run.silence / factors[part])]


def _scale(run: Run) -> tuple[str, str, dict[str, int]]:
    """The losses' unit, a note on it, and what each part's is divided by to be on one axis.

    Sums over unlike numbers of samples do not compare, and their means do.
    """
    as_they_are = {"train": 1, "validation": 1}
    if not run.metrics.has("validation_loss") or run.graph.loss.reduction == "mean":
        return "loss", "", as_they_are
    sizes = part_sizes(run)
    if sizes.keys() != as_they_are.keys():
        note = (
            "Beware: each curve is a sum over the samples of its part, and how many those are is "
            "not noted in this run, so the heights of the two do not compare."
        )
        return "loss, sum over the part", note, as_they_are
    note = (
        f"Both losses are sums over samples; they are divided by the numbers of samples here, "
        f"{sizes['train']:,} for training and {sizes['validation']:,} for validation, so that they "
        f"compare."
    )
    return "loss a sample", note, sizes


def _mark(run: Run, name: str, best: int | None) -> int | None:
    """The row of the best epoch on the curve that it was chosen by, and on its accuracy."""
    validated = run.metrics.watched == "validation_loss"
    belongs = name.startswith("validation") == validated
    return best if belongs and best is not None and run.metrics.at(name, best) is not None else None


def gradient_plot(run: Run) -> Plot | None:
    return _by_layer(
        run, "gradient_norms", "Gradient norms",
        "The length of each layer's gradient before it is clipped. Much smaller than the others "
        "means that a layer hardly learns.", "gradient norm", scales=True,
    )  # fmt: skip


def rate_plot(run: Run) -> Plot | None:
    return _by_layer(
        run, "spike_rates", "Spike rates during training",
        "Spikes a neuron a step, over all training samples.", "spikes a step", scales=False,
    )  # fmt: skip


def _by_layer(
    run: Run, kind: str, title: str, caption: str, unit: str, *, scales: bool
) -> Plot | None:
    given = [
        Curve(name, column)
        for name, column in run.metrics.layers[kind].items()
        if np.isfinite(column).any()
    ]
    return (
        curves(title, caption, run.metrics.epochs, given, unit=unit, scales=scales)
        if given
        else None
    )


def timing_plot(run: Run) -> Plot | None:
    seconds = run.metrics.figures["seconds"]
    if not np.isfinite(seconds).any():
        return None
    given = [Curve("seconds", seconds)]
    return curves("Seconds an epoch", "", run.metrics.epochs, given, unit="s", scales=True)


def rate_histograms(run: Run, rates: list[LayerRates]) -> list[Plot]:
    """How the neurons' rates spread, a figure for each layer that is drawn."""
    drawn = {layer.name for layer in run.drawn}
    return [
        histogram(f"Layer {layer.name}", "", [Heap("neurons", layer.rates)], unit="spikes a step")
        for layer in rates
        if layer.name in drawn
    ]
