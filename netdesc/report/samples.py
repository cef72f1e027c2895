"""How many samples a run trained on, and how many it was validated with."""

from __future__ import annotations

from netdesc.description.models import SpikeFiles
from netdesc.graph import SpikeTime
from netdesc.report.run import Run


def part_sizes(run: Run) -> dict[str, int]:
    """Numbers of samples of ``train`` and ``validation``; what cannot be known is left out.

    A run of an older netdesc does not note them: its lock does where it lists the samples, and its
    confusion matrix where a sample has one label.
    """
    return {part: count for part, count in _sizes(run).items() if count > 0}


def labels_by_step(run: Run) -> bool | None:
    """Whether each step of a sample has a label, so that a matrix counts steps; None: who knows.

    A run of an older netdesc does not note it. Then a loss without a window has none, the samples
    that are shown have one each or not, and a matrix of other than all samples counts steps.
    """
    loss, activity, confusion = run.graph.loss, run.activity, run.metrics.confusion
    if run.record.labels_by_step is not None:
        return run.record.labels_by_step
    if isinstance(loss, SpikeTime) or loss.window_steps is None:
        return False
    if activity is not None and activity.shown:
        return activity.shown[0].label is None
    part = "validation" if run.metrics.has("validation_accuracy") else "train"
    known = run.record.samples.get(part)
    return None if confusion is None or known is None else confusion.total != known


def judged(run: Run, part: str) -> str:
    """What predictions are made of: ``validation samples``, or ``steps of validation samples``."""
    samples = f"{part} samples" if part else "samples"
    return f"steps of {samples}" if labels_by_step(run) else samples


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
    confusion = run.metrics.confusion
    if confusion is None or labels_by_step(run) is not False:
        return {}
    part = "validation" if run.metrics.has("validation_accuracy") else "train"
    return {part: confusion.total}
