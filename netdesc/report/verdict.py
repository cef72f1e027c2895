"""The result of a run in words: its status, a headline, and notes about the trend of the loss."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netdesc.description.diagnostics.wording import amount
from netdesc.report.coincidence import Coincidence, coincidences
from netdesc.report.format import TEXTS, number, percent
from netdesc.report.run import RunData
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.state import saved_progress


class RunStatus(NamedTuple):
    """The status of a run. ``mood`` (good, busy, warning or bad) selects the colour of ``text``."""

    mood: str
    title: str
    text: str
    can_resume: bool


def run_status(run: RunData) -> RunStatus:
    """Describes the status of a run, and says why it is unstable if training has found that.

    An unknown status, from a later version, is quoted.
    """
    record, saved, epochs = run.record, saved_progress(run.path), amount(run.epochs_done, "epoch")
    status = record.status
    if status == "running" and not (at_work := is_at_work(run.path)):
        status = "running or killed" if at_work is None else "killed"
    elif status == "done" and record.stopped_early:
        status = "stopped by a callback" if record.stopped_by_callback else "stopped early"
    texts = TEXTS["statuses"].get(status, TEXTS["statuses"]["unknown"])
    mood, title, can_resume = texts["mood"], texts["title"], "{resume}" in texts["text"]
    resume = f"It can be resumed from its last checkpoint{f', after {saved}' if saved else ''}."
    if saved is not None and saved.is_start:
        resume = "It has no checkpoint after an epoch, so resuming starts with the first epoch."
    shown = f"This report shows the run after {epochs}."
    text = texts["text"].format(
        status=status,
        epochs=epochs,
        progress=f"{run.epochs_done:,} of {amount(run.epochs, 'epoch')}",
        message=f"Its last message: {record.message}." if record.message else "It has no message.",
        shown=shown
        if run.epochs_done
        else "No epoch was complete, so this report is mostly empty.",
        resume=resume,
    )
    if run.unstable is not None and mood == "good":
        mood, title, text = "warning", f"{title}, but unstable", f"{text} {run.unstable.sentence}"
    return RunStatus(mood, title, text, can_resume)


GRADES = (
    (0.95, "The network reproduces the target to within one step"),
    (0.8, "The network comes close to the target"),
    (0.5, "The network roughly reproduces the target"),
    (0.0, "The network does not reproduce the target"),
)
"""Pairs of a share and a sentence. The first sentence whose share is reached is shown.

It is reached if recall and precision, with a tolerance of one step, are both at least this share.
"""


def headline(run: RunData) -> str:
    """Describes the result of the best weights in one to three sentences.

    If a silent output would have a lower loss, the last sentence says so.
    """
    metrics, classes, accuracy = run.metrics, run.graph.classes, run.metrics.at_best("accuracy")
    if not len(metrics):
        return "Nothing was trained."
    if classes is not None and accuracy is not None:
        subject, items, note = "The network classifies", run.classified_items(metrics.part), ""
        count, part = run.record.samples.get("test", 0), metrics.part
        if "accuracy" in run.test:
            items = run.classified_items(f"{count:,} test")
            note = f" ({part} {percent(accuracy)} in epoch {run.test['epoch']:,})"
            accuracy = run.test["accuracy"]
        elif part == "training" and metrics.best is not None:
            subject = f"On average over epoch {metrics.best + 1:,}, the network classified"
        return (
            f"{subject} {percent(accuracy)} of the {items} correctly{note}; guessing "
            f"among {classes} classes would reach {percent(1 / classes)}."
        )
    sentences = [_describe_output(run), *silence_notes(run, is_worse=True)]
    if "loss" in run.test:
        loss = number(run.test["loss"])
        sentences.append(f"Of the test samples, the loss{run.loss_unit} is {loss}.")
    return " ".join(sentences)


def _describe_output(run: RunData) -> str:
    """Compares the stored spikes of output and target; gives the loss if there are none."""
    metrics, activity = run.metrics, run.activity
    best = metrics.value_at(metrics.watched_metric, metrics.best)
    loss = "The loss of the network is not known."
    if best is not None:
        what = metrics.watched_metric.replace("_", " ")
        loss = f"The best {what} is {number(best)}{run.loss_unit}."
        if run.graph.loss.learns_from == "target values" and run.graph.loss.reduction == "mean":
            root = number(math.sqrt(max(best, 0.0)))
            loss = f"{loss[:-1]}, a root mean squared error of {root}."
    if activity is None or not (matches := coincidences(activity.samples)):
        return loss
    if not activity.epoch:
        return f"{loss} The pictures show the network before training: no later weights were saved."
    is_best = metrics.best is None or activity.epoch == metrics.best + 1
    note = "" if is_best else f" These are the weights of epoch {activity.epoch:,}, the last saved."
    return _spike_verdict(*matches[:2]) + note


def _spike_verdict(same_step: Coincidence, one_step: Coincidence) -> str:
    if not one_step.outputs and one_step.targets:
        return "The network is silent: its output has no spikes, but the target has."
    share = min(one_step.recall, one_step.precision)
    grade = next(words for minimum, words in GRADES if share >= minimum)
    if min(same_step.recall, same_step.precision) >= GRADES[0][0]:
        grade = "The network reproduces the target"
    return (
        f"{grade}: {percent(same_step.recall)} of the target spikes are matched in the same step, "
        f"{percent(one_step.recall)} within one step; of the output spikes "
        f"{percent(same_step.precision)} and {percent(one_step.precision)} match a target spike."
    )


MIN_FALL = 0.05
"""A loss counts as still falling if it fell by more than this share at the end of the run.

The median over the last fifth of the epochs is compared with the median over the fifth before it.
"""
MAX_NEAR_BEST = 1.1
"""A loss of up to this factor times the best loss counts as near the best."""


def fall_at_end(run: RunData) -> float:
    """Returns the share by which the loss fell at the end of the run (see ``MIN_FALL``).

    Returns 0 if the share is at most ``MIN_FALL``, if the lowest loss is not in the last fifth, if
    the last loss is not near the lowest, or if the run ended before its last epoch.
    """
    metrics = run.metrics
    losses, best, fifth = metrics.watched_losses, metrics.lowest, len(metrics) // 5 or 1
    is_whole = run.record.status == "done" and not run.record.stopped_early
    if not is_whole or best is None or len(losses) < 2:
        return 0.0
    if best < len(losses) - fifth or losses[-1] > MAX_NEAR_BEST * losses[best]:
        return 0.0
    fall = 1 - np.median(losses[-fifth:]) / np.median(losses[-2 * fifth : -fifth])
    return float(fall) if fall > MIN_FALL else 0.0


def loss_notes(run: RunData) -> Iterator[str]:
    """Yields sentences about the trend of the loss, and about the loss of a silent output.

    If the best loss is higher than the loss of a silent output, the headline says so, not a note.
    """
    metrics, losses, lowest = run.metrics, run.metrics.watched_losses, run.metrics.lowest
    if lowest is None:
        return
    unit = run.loss_unit
    what, best = metrics.watched_metric.replace("_", " "), losses[lowest]
    is_best, selected = lowest == metrics.best, metrics.selection_metric.replace("_", " ")
    if 0 < best < losses[0]:
        yield (
            f"The {what}{unit} fell from {number(losses[0])} in the first epoch to {number(best)} "
            f"in epoch {lowest + 1:,}{', the best epoch' if is_best else ''}: "
            f"{percent(1 - best / losses[0])} less."
        )
    yield from silence_notes(run, is_worse=False)
    if fall := fall_at_end(run):
        fifth = len(losses) // 5
        span = f"{fifth} epochs, the {what} was {percent(fall)} lower than in the {fifth} before"
        if fifth < 2:
            span = f"epoch, the {what} was {percent(fall)} lower than in the one before"
        yield f"In the last {span}: more epochs may help."
    elif rose_again(run):
        reason = " That suggests overfitting." if run.metrics.overfits else ""
        if could_stop_early(run):
            reason += " Early stopping would have saved time (see the next steps)."
        yield (
            f"The {what} rose again after {'the best epoch' if is_best else 'it was lowest'} and "
            f"ended at {number(losses[-1])}. This report shows the weights of the best epoch"
            f"{'' if is_best else f', by its {selected}'}.{reason}"
        )


def silence_notes(run: RunData, *, is_worse: bool) -> Iterator[str]:
    """Yields a sentence that compares the best loss with the loss of a silent output.

    With ``is_worse`` it does so only if the best loss is higher, otherwise only if it is lower.
    """
    metrics, silence = run.metrics, run.silent_loss
    if metrics.best is None or not silence:
        return
    best, what = metrics.watched_losses[metrics.best], metrics.watched_metric.replace("_", " ")
    if best != silence and bool(best > silence) == is_worse:
        relation = "worse" if is_worse else f"{percent(1 - best / silence)} lower"
        silent_loss = f"{what}{run.loss_unit} of {number(silence)}"
        yield f"A silent output would have a {silent_loss}; the best is {relation}."


def rose_again(run: RunData) -> bool:
    """Whether the lowest loss was reached early, and the loss was higher at the end.

    Its epoch is then before the last fifth of the epochs, and the median loss of this fifth is
    above ``MAX_NEAR_BEST`` times the lowest loss.
    """
    losses, best, fifth = run.metrics.watched_losses, run.metrics.lowest, len(run.metrics) // 5
    if best is None or fifth == 0:
        return False
    is_early = best < len(losses) - fifth
    return is_early and bool(np.median(losses[-fifth:]) > MAX_NEAR_BEST * losses[best])


def could_stop_early(run: RunData) -> bool:
    """Whether early stopping, which was off, would have saved time; False after a divergence."""
    is_off = run.document.training.early_stopping is None and run.record.status != "diverged"
    return is_off and run.metrics.watched_metric == "validation_loss" and rose_again(run)
