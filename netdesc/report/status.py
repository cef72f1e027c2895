"""The status of a run in words: what a reader of its report must know first."""

from __future__ import annotations

from typing import NamedTuple

from netdesc.report.format import plural
from netdesc.report.run import Run

_STATUSES = {
    "done": ("good", "Done", "Training did all of its {epochs}."),
    "stopped early": (
        "good", "Done, stopped early",
        "Training stopped after {progress}, as the loss did not get better any more.",
    ),
    "interrupted": (
        "warning", "Interrupted", "Training was interrupted after {progress}. {shown} {resume}"
    ),
    "diverged": (
        "bad", "Diverged",
        "Training diverged after {progress}. {message} {shown} A lower learning rate or "
        "training.gradient_clip usually helps; the run itself would diverge again.",
    ),
    "failed": ("bad", "Failed", "Training failed after {progress}. {message} {shown} {resume}"),
    "running": ("busy", "Still running", "Training has done {progress} so far. {shown}"),
    "running or killed": (
        "warning", "Running, or killed",
        "Training is at work or was killed after {progress}, which cannot be told here. {shown} "
        "{resume}",
    ),
    "killed": (
        "warning", "Killed", "Training was killed after {progress} or later. {shown} {resume}"
    ),
    "unknown": ("warning", "Unknown status", "This netdesc does not know “{status}”. {shown}"),
}  # fmt: skip
"""Status -> mood, title and text. A run can go on where the text says from where."""


class RunStatus(NamedTuple):
    """``mood`` is good, busy, warning or bad; ``text`` is of a few sentences."""

    mood: str
    title: str
    text: str
    can_resume: bool


def run_status(run: Run) -> RunStatus:
    """The status of a run. One that this netdesc does not know is shown as it is noted."""
    record, saved, epochs = run.record, run.resumes_after, plural(run.epochs_done, "epoch")
    status = record.status
    if status == "running" and not run.at_work:
        status = "running or killed" if run.at_work is None else "killed"
    elif status == "done" and record.stopped_early:
        status = "stopped early"
    mood, title, text = _STATUSES.get(status, _STATUSES["unknown"])
    resume = {
        None: "It can go on from its last checkpoint.",
        0: "It has no checkpoint after an epoch, so it begins again with the first one.",
    }.get(saved, f"It can go on from its last checkpoint, after {plural(saved or 0, 'epoch')}.")
    filled = text.format(
        status=status,
        epochs=epochs,
        progress=f"{run.epochs_done:,} of {plural(run.epochs, 'epoch')}",
        message=f"Its last message: {record.message}." if record.message else "It left no message.",
        shown=f"Everything below shows it as it was after {epochs}."
        if run.epochs_done
        else "No epoch was complete, so there is little to show below.",
        resume=resume,
    )
    return RunStatus(mood, title, filled, can_resume="{resume}" in text)
