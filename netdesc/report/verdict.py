"""What a run achieved, in words: a headline, and what deserves a second look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netdesc.report.course import course, ends_near_best
from netdesc.report.faults import Faults
from netdesc.report.matching import Match, match
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run
from netdesc.report.samples import judged
from netdesc.report.words import counted, number, percent

REPRODUCED = 0.95
"""Share of spikes in the same step, of the target's and of its own, from which on it is met."""
GRADES = (
    (0.95, "The network reproduces the target to within a step"),
    (0.8, "The network comes close to the target"),
    (0.5, "The network shows the target in outline"),
    (0.0, "The network does not reproduce the target"),
)
"""From which share of spikes within one step on, of the target's and of its own, what is said."""

SILENT_SHARE = 0.25


@dataclass(frozen=True)
class Verdict:
    """``headline`` is one sentence; ``notes`` are more of them, each about one thing."""

    headline: str
    notes: list[str]


def verdict(
    run: Run, rates: list[LayerRates], faults: Faults, learned: Sequence[str] = ()
) -> Verdict:
    """The verdict on a run's best weights; what is at fault comes first, ``learned`` notes last."""
    notes = [*faults.notes, *_loss(run), *_silence(run), *_advice(run, rates), *learned]
    return Verdict(_headline(run), notes)


def _headline(run: Run) -> str:
    if not len(run.metrics):
        return "Nothing was trained."
    if run.graph.classes is not None:
        return _classification(run, run.graph.classes)
    activity = run.activity
    matches = match(activity.shown) if activity is not None else []
    if activity is None or not matches:
        return _loss_alone(run)
    if not activity.epoch:
        return (
            f"{_loss_alone(run)} The pictures below show the network before training: no later "
            f"weights were kept."
        )
    best = run.metrics.best
    is_best = best is None or activity.epoch == run.metrics.epochs[best]
    kept = "" if is_best else f" This is as of epoch {activity.epoch:,}, the last that was kept."
    return _spike_match(matches) + kept


def _classification(run: Run, classes: int) -> str:
    metrics = run.metrics
    part = "validation" if metrics.has("validation_accuracy") else "training"
    name = "validation_accuracy" if part == "validation" else "accuracy"
    accuracy = metrics.at(name, metrics.best)
    if accuracy is None:
        return _loss_alone(run)
    return (
        f"The network puts {percent(accuracy)} of the {judged(run, part)} in the right class; "
        f"guessing among {classes} classes would give {percent(1 / classes)}."
    )


def _spike_match(matches: list[Match]) -> str:
    same, near = (next(each for each in matches if each.tolerance == n) for n in (0, 1))
    if not near.outputs and near.targets:
        return "The network is silent where it should spike: its output has no spike at all."
    grade = min(near.met_share, near.wanted_share)
    words = next(words for least, words in GRADES if grade >= least)
    if min(same.met_share, same.wanted_share) >= REPRODUCED:
        words = "The network reproduces the target"
    return (
        f"{words}: it meets {percent(same.met_share)} of the target's spikes in the same step and "
        f"{percent(near.met_share)} to within one, and of its own spikes "
        f"{percent(same.wanted_share)} and {percent(near.wanted_share)} belong there."
    )


def _loss_alone(run: Run) -> str:
    metrics = run.metrics
    first, best = metrics.at(metrics.watched, 0), metrics.at(metrics.watched, metrics.best)
    if best is None:
        return "The loss is not known, so there is nothing to judge the network by."
    if first is None:
        return f"The best loss is {number(best)}."
    return f"The loss went from {number(first)} to {number(best)}."


def _loss(run: Run) -> Iterator[str]:
    metrics = run.metrics
    for name, what in (("loss", "loss"), ("validation_loss", "validation loss")):
        if not metrics.has(name):
            continue
        first, best = metrics.at(name, 0), metrics.at(name, metrics.best)
        if first is None or best is None:
            continue
        if metrics.best == 0 and len(metrics) > 1:
            yield f"The {what} never fell below the {number(first)} of the first epoch, the best."
            continue
        change = f", {percent(1 - best / first)} less" if 0 < best < first else ""
        epoch = int(metrics.epochs[metrics.best or 0])
        yield (
            f"The {what} went from {number(first)} in the first epoch to {number(best)} in epoch "
            f"{epoch:,}, the best{change}."
        )


def _silence(run: Run) -> Iterator[str]:
    """The best loss beside that of an output without spikes."""
    metrics, silence = run.metrics, run.silence
    best = metrics.at(metrics.watched, metrics.best)
    if best is None or not silence:
        return
    what = "validation loss" if metrics.watched == "validation_loss" else "loss"
    if best <= silence:
        yield (
            f"Silence would score {number(silence)}: the best {what} is "
            f"{percent(1 - best / silence)} below that of an output without any spike."
        )
        return
    early = " The best epoch is among the last, so training was too short to tell."
    yield (
        f"Silence would score {number(silence)}: the best {what} is worse than that of an output "
        f"without any spike, so the spikes are not where they should be."
        f"{early if ends_near_best(run) else ''}"
    )


def _advice(run: Run, rates: list[LayerRates]) -> Iterator[str]:
    yield from course(run)
    for layer in rates:
        if SILENT_SHARE * layer.neurons <= layer.silent < layer.neurons:
            yield (
                f"{layer.silent:,} of the {counted(layer.neurons, 'neuron')} of layer "
                f"“{layer.name}” are silent on the samples looked at; a lower threshold or larger "
                f"weights at the start would wake them."
            )
        if layer.saturated:
            yield (
                f"{layer.saturated:,} of the {counted(layer.neurons, 'neuron')} of layer "
                f"“{layer.name}” {'spikes' if layer.saturated == 1 else 'spike'} at nearly every "
                f"step and so can tell little; a higher threshold or smaller weights would help."
            )
