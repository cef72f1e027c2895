"""What a run achieved, in words: a headline, and what deserves a second look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdesc.report.coincidence import Coincidence, coincidences
from netdesc.report.format import number, percent, plural
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run

GRADES = (
    (0.95, "The network reproduces the target to within a step"),
    (0.8, "The network comes close to the target"),
    (0.5, "The network shows the target in outline"),
    (0.0, "The network does not reproduce the target"),
)
"""From which share of spikes within one step on, of the target's and of its own, what is said."""


def headline(run: Run) -> str:
    """One sentence on the best weights, or on those that were kept."""
    metrics, activity, classes = run.metrics, run.activity, run.graph.classes
    accuracy = metrics.best_accuracy
    if not len(metrics):
        return "Nothing was trained."
    if classes is not None and accuracy is not None:
        return (
            f"The network puts {percent(accuracy)} of the {run.judged} in the right class; "
            f"guessing among {classes} classes would give {percent(1 / classes)}."
        )
    best = metrics.at(metrics.watched, metrics.best)
    loss = "No loss is known to judge the network by."
    if best is not None:
        loss = f"The best {metrics.watched.replace('_', ' ')} is {number(best)}."
    if activity is None or not (found := coincidences(activity.shown)):
        return loss
    if not activity.epoch:
        return f"{loss} The pictures show the network before training: no later weights were kept."
    is_best = metrics.best is None or activity.epoch == metrics.best + 1
    kept = "" if is_best else f" This is as of epoch {activity.epoch:,}, the last that was kept."
    return _spike_verdict(*found[:2]) + kept


def _spike_verdict(same: Coincidence, near: Coincidence) -> str:
    """Of spikes that meet in the same step, and to within one."""
    if not near.outputs and near.targets:
        return "The network is silent where it should spike: its output has no spike at all."
    grade = next(words for least, words in GRADES if min(near.recall, near.precision) >= least)
    if min(same.recall, same.precision) >= GRADES[0][0]:
        grade = "The network reproduces the target"
    return (
        f"{grade}: it meets {percent(same.recall)} of the target's spikes in the same step and "
        f"{percent(near.recall)} to within one, and of its own spikes {percent(same.precision)} "
        f"and {percent(near.precision)} belong there."
    )


def layer_notes(run: Run, rates: Sequence[LayerRates]) -> Iterator[str]:
    """Sentences on layers without gradient, and on neurons that never or always spike."""
    for (kind, name), values in run.metrics.by_layer.items():
        if kind == "gradient_norms" and len(values) and values[-1] == 0:
            yield f"No gradient reached layer “{name}” in the last epoch, so it did not learn."
    for layer in rates:
        where = f"of the {plural(layer.neurons, 'neuron')} of layer “{layer.name}”"
        if layer.neurons / 4 <= layer.silent < layer.neurons:
            yield f"{layer.silent:,} {where} never spike here: a lower threshold may wake them."
        if layer.saturated:
            yield f"{layer.saturated:,} {where} spike at nearly every step, so they tell little."
