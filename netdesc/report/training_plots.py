"""The figures of training over its epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdesc.report.plots import Curve, Heap, Plot, curves, histogram
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run

RING = "The ring marks the best epoch."
ZOOM = "Drag over a part of a figure to zoom into it; a double click shows all again."


def training_plots(run: Run) -> list[Plot]:
    """Loss, accuracy and learning rate, as far as the run has them."""
    return list(_training(run))


def _training(run: Run) -> Iterator[Plot]:
    metrics = run.metrics
    best = metrics.best
    for title, unit, share, names in (
        ("Loss", "loss", False, {"loss": "training", "validation_loss": "validation"}),
        ("Accuracy", "right", True, {"accuracy": "training", "validation_accuracy": "validation"}),
    ):
        given = [
            Curve(label, metrics.figures[name], mark=_mark(run, name, best))
            for name, label in names.items()
            if metrics.has(name)
        ]
        if given:
            yield curves(
                title, RING if share else f"{RING} {ZOOM}", metrics.epochs, given,
                unit=unit, scales=not share, share=share,
            )  # fmt: skip
    if metrics.has("learning_rate"):
        rates = metrics.figures["learning_rate"]
        spans_decades = np.nanmax(rates) > 10 * np.nanmin(rates)
        yield curves(
            "Learning rate", "", metrics.epochs, [Curve("learning rate", rates)],
            unit="learning rate", scales=bool(spans_decades),
        )  # fmt: skip


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
