"""How the loss went over the epochs, and whether more of them are likely to help."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netdesc.report.run import Run
from netdesc.report.words import counted, number

FEWEST_EPOCHS = 20
FALLING_SHARE = 0.05
"""What the median loss of the last fifth must have fallen by against the fifth before."""
STEEP_SHARE, STEEP_SHARE_ANNEALED = 0.25, 0.5
"""What it must have fallen by to have fallen steeply; a schedule that ends brings a part of it."""
NEAR_FACTOR = 1.1
"""Up to so many times the best loss, the last one is near it."""
OVERFIT_FACTOR = 1.1
ANNEALED_SHARE = 0.1
"""At less than this share of its highest value, a learning rate has come to its end."""


def ends_near_best(run: Run) -> bool:
    """Whether the run did all its epochs and the last fifth of them has the best one."""
    metrics, best = run.metrics, run.metrics.best
    if run.record.status != "done" or run.record.stopped_early or best is None:
        return False
    if len(metrics.lacking):  # then nobody knows how the loss went
        return False
    last = metrics.figures[metrics.watched][-1]
    lowest = metrics.figures[metrics.watched][best]
    return best >= len(metrics) - max(1, len(metrics) // 5) and bool(last <= NEAR_FACTOR * lowest)


def was_falling(run: Run) -> bool:
    """Whether the loss still fell in the last fifth of the epochs, and to near the best."""
    if not ends_near_best(run):
        return False
    losses = run.metrics.figures[run.metrics.watched]
    fifth = max(1, len(losses) // 5)
    if len(losses) < FEWEST_EPOCHS:  # too few to tell: the best stands near the end
        return len(losses) > 1
    return _fall(losses, fifth) > FALLING_SHARE


def was_falling_steeply(run: Run) -> bool:
    """Whether the loss fell so quickly at the end that training was too short."""
    if not was_falling(run):
        return False
    losses = run.metrics.figures[run.metrics.watched]
    # Of a few epochs, the second half tells more than the single ones at the end.
    stretch = len(losses) // (5 if len(losses) >= FEWEST_EPOCHS else 2)
    return _fall(losses, stretch) > (STEEP_SHARE_ANNEALED if is_annealed(run) else STEEP_SHARE)


def _fall(losses: NDArray[np.floating], stretch: int) -> float:
    """By what share the median of the last ``stretch`` losses is below that of those before."""
    before, last = np.nanmedian(losses[-2 * stretch : -stretch]), np.nanmedian(losses[-stretch:])
    return float(1 - last / before) if before > 0 else 0.0


def is_annealed(run: Run) -> bool:
    """Whether the schedule has brought the learning rate down: the loss then settles by itself."""
    rates = run.metrics.figures["learning_rate"]
    return bool(np.isfinite(rates).any() and rates[-1] < ANNEALED_SHARE * np.nanmax(rates))


def course(run: Run) -> Iterator[str]:
    """Sentences on the course of the loss and of the gradients."""
    metrics, best = run.metrics, run.metrics.best
    if was_falling_steeply(run) and not len(metrics.lacking):
        yield (
            f"The loss was still falling steeply at the end: training was too short, and "
            f"{counted(run.epochs, 'epoch')} are few for this task."
        )
    if best is None or len(metrics) < FEWEST_EPOCHS or len(metrics.lacking):
        return
    losses = np.nan_to_num(metrics.figures[metrics.watched], nan=np.inf)
    fifth = len(losses) // 5
    if was_falling(run) and not was_falling_steeply(run):
        yield (
            "The loss fell to the end, where the schedule has brought the learning rate down: the "
            "schedule has ended, and a longer run needs training.epochs set anew."
            if is_annealed(run)
            else "The loss was still falling in the last fifth of the epochs: longer training is "
            "likely to make it better."
        )
    worse = (
        best < len(losses) - fifth and np.median(losses[-fifth:]) > OVERFIT_FACTOR * losses[best]
    )
    if worse and metrics.has("validation_loss"):
        yield (
            "The validation loss rose again after its best epoch, which points to overfitting; "
            "the best weights are those from before, and early stopping would have saved time."
        )
    elif worse:
        yield (
            f"The loss rose again after its best epoch and ended at {number(float(losses[-1]))}; "
            f"the best weights are those from before, and this report shows them."
        )
    for name, norms in metrics.layers["gradient_norms"].items():
        if norms[-1] == 0:
            yield f"No gradient reached layer “{name}” in the last epoch, so it did not learn."
