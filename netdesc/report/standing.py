"""How a run stands, in words: what a reader of its report must know first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from netdesc.report.run import Run
from netdesc.report.words import counted

Mood = Literal["good", "busy", "warning", "bad"]


@dataclass(frozen=True)
class Standing:
    """``title`` in a few words, ``text`` in a sentence or two; ``can_resume`` if it can go on."""

    mood: Mood
    title: str
    text: str
    can_resume: bool


def standing(run: Run) -> Standing:
    """The standing of a run. A status that this netdesc does not know is shown as it is."""
    describe = _STATUSES.get(run.record.status, _unknown)
    return describe(run)


def _far(run: Run) -> str:
    return f"{run.epochs_done:,} of {counted(run.epochs, 'epoch')}"


def _so_far(run: Run) -> str:
    return (
        f"Everything below shows it as it was after {counted(run.epochs_done, 'epoch')}."
        if run.epochs_done
        else "No epoch was complete, so there is little to show below."
    )


def _onward(run: Run) -> str:
    """From where the run goes on: what the disk holds, which may be less than was done."""
    if run.resumes_after is None:
        return "It can go on from its last checkpoint."
    if not run.resumes_after:
        return (
            "It has no checkpoint of a later moment than the start, so it begins again with the "
            "first epoch."
        )
    return f"It can go on from its last checkpoint, after {counted(run.resumes_after, 'epoch')}."


def _message(run: Run) -> str:
    message = run.record.message
    return f"It ended with this message: {message}." if message else "It left no message."


def _done(run: Run) -> Standing:
    if run.record.stopped_early:
        text = (
            f"Training stopped after {_far(run)}, because the loss did not get better any more, "
            f"as the document asks."
        )
        return Standing("good", "Done, stopped early", text, can_resume=False)
    text = f"Training did all of its {counted(run.epochs_done, 'epoch')}."
    return Standing("good", "Done", text, can_resume=False)


def _interrupted(run: Run) -> Standing:
    text = f"Training was interrupted after {_far(run)}. {_so_far(run)} {_onward(run)}"
    return Standing("warning", "Interrupted", text, can_resume=True)


def _diverged(run: Run) -> Standing:
    message = run.record.message or f"training diverged after {_far(run)}, and left no message"
    text = (
        f"{message[0].upper()}{message[1:]}. {_so_far(run)} A lower learning rate or "
        f"training.gradient_clip usually helps; the run itself would diverge again."
    )
    return Standing("bad", "Diverged", text, can_resume=False)


def _failed(run: Run) -> Standing:
    text = f"Training failed after {_far(run)}. {_message(run)} {_so_far(run)} {_onward(run)}"
    return Standing("bad", "Failed", text, can_resume=True)


def _running(run: Run) -> Standing:
    if run.at_work:
        text = f"Training is at work and has done {_far(run)} so far. {_so_far(run)}"
        return Standing("busy", "Still running", text, can_resume=False)
    if run.at_work is None:
        text = (
            f"Training is at work or was killed; that cannot be told here. Its last note is after "
            f"{_far(run)}. {_so_far(run)} {_onward(run)}"
        )
        return Standing("warning", "Running, or killed", text, can_resume=True)
    text = (
        f"Training was killed after {_far(run)} or a little later: the run is noted as running, "
        f"and no process works on it. {_so_far(run)} {_onward(run)}"
    )
    return Standing("warning", "Killed", text, can_resume=True)


def _unknown(run: Run) -> Standing:
    text = f"The run's status is “{run.record.status}”, which this netdesc does not know."
    return Standing("warning", "Unknown status", f"{text} {_so_far(run)}", can_resume=False)


_STATUSES: dict[str, Callable[[Run], Standing]] = {
    "done": _done,
    "interrupted": _interrupted,
    "diverged": _diverged,
    "failed": _failed,
    "running": _running,
}
