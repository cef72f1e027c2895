"""The course of the loss over the epochs, and whether more of them are likely to help."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdesc.report.format import number, percent
from netdesc.report.run import Run

FALLING_SHARE = 0.05
"""What the median loss of the last fifth must have fallen by against the fifth before."""
NEAR_BEST = 1.1
"""Up to so many times the best loss, another one is near it."""


def fall_at_end(run: Run) -> float:
    """By what share the loss still fell in the last fifth of a whole run; 0 if it hardly did."""
    losses, best, stretch = run.metrics.watched_losses, run.metrics.best, len(run.metrics) // 5 or 1
    is_whole = run.record.status == "done" and not run.record.stopped_early
    if not is_whole or best is None or len(losses) < 2 or len(run.metrics.lacking):
        return 0.0
    if best < len(losses) - stretch or losses[-1] > NEAR_BEST * losses[best]:
        return 0.0
    fall = 1 - np.median(losses[-stretch:]) / np.median(losses[-2 * stretch : -stretch])
    return float(fall) if fall > FALLING_SHARE else 0.0


def loss_notes(run: Run) -> Iterator[str]:
    """Sentences: what the loss began with and came to, beside silence, and what it did at last."""
    metrics, losses, silence = run.metrics, run.metrics.watched_losses, run.silence
    if metrics.best is None:
        return
    what, best, fifth = metrics.watched.replace("_", " "), losses[metrics.best], len(losses) // 5
    if metrics.best == 0 and len(losses) > 1:
        yield f"The {what} never fell below the {number(best)} of the first epoch, the best."
    elif 0 < best < losses[0]:
        yield (
            f"The {what} went from {number(losses[0])} in the first epoch to {number(best)} in "
            f"epoch {metrics.best + 1:,}, the best, {percent(1 - best / losses[0])} less."
        )
    if silence:
        beside = "worse than" if best > silence else f"{percent(1 - best / silence)} below"
        yield f"A silent output would score {number(silence)}: the best {what} is {beside} that."
    is_early = fifth > 0 and metrics.best < len(losses) - fifth and not len(metrics.lacking)
    if fall := fall_at_end(run):
        yield f"The {what} still fell by {percent(fall)} at the end: more epochs may well help."
    elif is_early and np.median(losses[-fifth:]) > NEAR_BEST * best:
        reason = " That points to overfitting." if metrics.watched == "validation_loss" else ""
        yield (
            f"The {what} rose again after its best epoch and ended at {number(losses[-1])}; this "
            f"report shows the best weights, those from before.{reason}"
        )
