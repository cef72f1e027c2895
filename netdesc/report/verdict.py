"""The headline of a report: the result of a run in words."""

from __future__ import annotations

import math

from netdesc.report.coincidence import Coincidence, coincidences
from netdesc.report.format import number, percent
from netdesc.report.loss_trend import silence_notes
from netdesc.report.run import RunData

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
        subject = "The network classifies"
        if metrics.part == "training" and metrics.best is not None:
            subject = f"On average over epoch {metrics.best + 1:,}, the network classified"
        return (
            f"{subject} {percent(accuracy)} of the {run.classified_items} correctly; guessing "
            f"among {classes} classes would reach {percent(1 / classes)}."
        )
    return " ".join([_describe_output(run), *silence_notes(run, is_worse=True)])


def _describe_output(run: RunData) -> str:
    """Compares the spikes of output and target; gives the loss if these spikes are not known.

    The spikes come from the activity file. If the file has the spikes of another epoch than the
    best, the last sentence says so.
    """
    metrics, activity = run.metrics, run.activity
    best = metrics.value_at(metrics.selection_metric, metrics.best)
    loss = "The loss of the network is not known."
    if best is not None:
        what = metrics.selection_metric.replace("_", " ")
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
    """Describes the shares of spikes that match in the same step and within one step."""
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
