"""The status of a run in words, at the top of its report."""

from __future__ import annotations

from typing import NamedTuple

from netdesc.description.diagnostics.wording import amount
from netdesc.report.run import RunData
from netdesc.runs.state import is_at_work, saved_epochs

_STATUSES = {
    "done": ("good", "Done", "Training did all of its {epochs}."),
    "stopped early": (
        "good", "Done, stopped early",
        "Training stopped after {progress}, because the loss no longer improved.",
    ),
    "stopped by a callback": (
        "good", "Done, stopped early", "A callback ended training after {progress}."
    ),
    "interrupted": (
        "warning", "Interrupted", "Training was interrupted after {progress}. {shown} {resume}"
    ),
    "diverged": (
        "bad", "Diverged",
        "Training diverged after {progress}. {message} {shown} Resuming the run would diverge "
        "again.",
    ),
    "failed": ("bad", "Failed", "Training failed after {progress}. {message} {shown} {resume}"),
    "running": ("busy", "Still running", "Training has completed {progress} so far. {shown}"),
    "running or killed": (
        "warning", "Running, or killed",
        "Training has completed {progress}. From this machine it cannot be determined whether it "
        "is still running or was killed. {shown} {resume}",
    ),
    "killed": (
        "warning", "Killed", "Training was killed after {progress} or later. {shown} {resume}"
    ),
    "unknown": (
        "warning", "Unknown status", "This netdesc does not know the status “{status}”. {shown}"
    ),
}  # fmt: skip
"""Mood (see ``RunStatus``), title and text of each status.

The text contains ``{resume}`` if runs with this status can be resumed."""


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
    record, saved, epochs = run.record, saved_epochs(run.path), amount(run.epochs_done, "epoch")
    status = record.status
    if status == "running" and not (at_work := is_at_work(run.path)):
        status = "running or killed" if at_work is None else "killed"
    elif status == "done" and record.stopped_early:
        status = "stopped by a callback" if record.stopped_by_callback else "stopped early"
    mood, title, text = _STATUSES.get(status, _STATUSES["unknown"])
    resume = {
        None: "It can be resumed from its last checkpoint.",
        0: "It has no checkpoint after an epoch, so resuming starts with the first epoch.",
    }.get(
        saved, f"It can be resumed from its last checkpoint, after {amount(saved or 0, 'epoch')}."
    )
    filled = text.format(
        status=status,
        epochs=epochs,
        progress=f"{run.epochs_done:,} of {amount(run.epochs, 'epoch')}",
        message=f"Its last message: {record.message}." if record.message else "It has no message.",
        shown=f"This report shows the run after {epochs}."
        if run.epochs_done
        else "No epoch was complete, so this report is mostly empty.",
        resume=resume,
    )
    if run.unstable is not None and mood == "good":
        filled = f"{filled} {run.unstable.sentence}"
        mood, title = "warning", f"{title}, but unstable"
    return RunStatus(mood, title, filled, can_resume="{resume}" in text)
