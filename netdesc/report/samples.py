"""How many samples a run trained on, and how many it was validated with."""

from __future__ import annotations

from netdesc.description.models import SpikeFiles
from netdesc.report.run import Run


def part_sizes(run: Run) -> dict[str, int]:
    """Numbers of samples of ``train`` and ``validation``; what cannot be known is left out.

    A run of an older netdesc does not note them: its lock does where it lists the samples, and its
    confusion matrix where a sample has one label.
    """
    return {part: count for part, count in _sizes(run).items() if count > 0}


def _sizes(run: Run) -> dict[str, int]:
    if run.record.samples:
        return run.record.samples
    data, training = run.document.data, run.document.training
    if isinstance(data, SpikeFiles):
        held_out = training.held_out(len(data.train))
        return {
            "train": len(data.train) - held_out,
            "validation": len(data.validation) or held_out,
        }
    confusion, activity = run.metrics.confusion, run.activity
    shown = activity.shown if activity is not None else []
    if confusion is None or not shown or shown[0].label is None:
        return {}
    part = "validation" if run.metrics.has("validation_accuracy") else "train"
    return {part: confusion.total}
