"""The trend of the loss over the epochs, and whether more epochs are likely to help."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdesc.report.format import number, percent
from netdesc.report.run import RunData

MIN_FALL = 0.05
"""A loss counts as still falling if it fell by more than this share at the end of the run.

The median over the last fifth of the epochs is compared with the median over the fifth before it.
"""
MAX_NEAR_BEST = 1.1
"""A loss of up to this factor times the best loss counts as near the best."""


def fall_at_end(run: RunData) -> float:
    """Returns the share by which the loss fell at the end of the run (see ``MIN_FALL``).

    Returns 0 if the share is at most ``MIN_FALL``, if the best epoch is not among the last fifth,
    if the last loss is not near the best loss, if the run ended before its last epoch, or if
    ``metrics.jsonl`` lacks epochs.
    """
    losses, best, fifth = run.metrics.selection_losses, run.metrics.best, len(run.metrics) // 5 or 1
    is_whole = run.record.status == "done" and not run.record.stopped_early
    if not is_whole or best is None or len(losses) < 2 or len(run.metrics.missing_epochs):
        return 0.0
    if best < len(losses) - fifth or losses[-1] > MAX_NEAR_BEST * losses[best]:
        return 0.0
    fall = 1 - np.median(losses[-fifth:]) / np.median(losses[-2 * fifth : -fifth])
    return float(fall) if fall > MIN_FALL else 0.0


def loss_notes(run: RunData) -> Iterator[str]:
    """Yields sentences about the trend of the loss, and about the loss of a silent output.

    If the best loss is higher than the loss of a silent output, the headline says so, not a note.
    """
    metrics, losses = run.metrics, run.metrics.selection_losses
    if metrics.best is None:
        return
    unit = run.loss_unit
    what, best = metrics.selection_metric.replace("_", " "), losses[metrics.best]
    if 0 < best < losses[0]:
        yield (
            f"The {what}{unit} fell from {number(losses[0])} in the first epoch to {number(best)} "
            f"in epoch {metrics.best + 1:,}, the best epoch: {percent(1 - best / losses[0])} less."
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
            f"The {what} rose again after the best epoch and ended at {number(losses[-1])}. This "
            f"report shows the weights of the best epoch.{reason}"
        )


def silence_notes(run: RunData, *, is_worse: bool) -> Iterator[str]:
    """Yields a sentence that compares the best loss with the loss of a silent output.

    With ``is_worse`` it does so only if the best loss is higher, otherwise only if it is lower.
    """
    metrics, silence = run.metrics, run.silent_loss
    if metrics.best is None or not silence:
        return
    best, what = metrics.selection_losses[metrics.best], metrics.selection_metric.replace("_", " ")
    if best != silence and bool(best > silence) == is_worse:
        relation = "worse" if is_worse else f"{percent(1 - best / silence)} lower"
        silent_loss = f"{what}{run.loss_unit} of {number(silence)}"
        yield f"A silent output would have a {silent_loss}; the best is {relation}."


def rose_again(run: RunData) -> bool:
    """Whether the best loss was reached early, and the loss was higher at the end.

    The best epoch is then before the last fifth of the epochs, and the median loss of this fifth is
    above ``MAX_NEAR_BEST`` times the best loss. Returns False if ``metrics.jsonl`` lacks epochs.
    """
    losses, best, fifth = run.metrics.selection_losses, run.metrics.best, len(run.metrics) // 5
    if best is None or fifth == 0 or len(run.metrics.missing_epochs):
        return False
    is_early = best < len(losses) - fifth
    return is_early and bool(np.median(losses[-fifth:]) > MAX_NEAR_BEST * losses[best])


def could_stop_early(run: RunData) -> bool:
    """Whether early stopping, which was off, would have saved time; False after a divergence."""
    is_off = run.document.training.early_stopping is None and run.record.status != "diverged"
    return is_off and run.metrics.selection_metric == "validation_loss" and rose_again(run)
