"""What to do next with a run: commands that work for it as it stands."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from netdesc.report.diagnosis import Diagnosis
from netdesc.report.loss_trend import fall_at_end
from netdesc.report.run import Run
from netdesc.report.status import RunStatus
from netdesc.runs.files import LOCK, NETWORK
from netdesc.runs.state import resume_command

LOWER_RATE = 0.3
"""What the learning rate of a run that diverged is multiplied with for the next attempt."""


class Command(NamedTuple):
    """What it is good for, and its text for a shell."""

    purpose: str
    text: str


def given_commands(run: Run) -> list[Command]:
    """The command that began the run, and the last one that took it up again."""
    record = run.record
    given = [("The command", record.command, record.directory)]
    if record.resumed:
        given = [
            ("The first command", record.first_command, record.first_directory),
            ("The command that took it up again last", record.command, record.directory),
        ]
    return [
        Command(purpose, f"cd {shlex.quote(directory)}\n{text}" if directory else text)
        for purpose, text, directory in given
        if text
    ]


def next_steps(run: Run, status: RunStatus, diagnosis: Diagnosis) -> list[Command]:
    """Commands for a run, the most useful one first. Paths are absolute: they work anywhere."""
    return [Command(*each) for each in _next_steps(run, status, diagnosis)]


def _next_steps(run: Run, status: RunStatus, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    folder = _absolute(run.path)
    again = f"netdesc compile-and-train {_absolute(run.path / LOCK)} --set"
    if status.can_resume:
        yield "Go on with this run", resume_command(os.path.abspath(run.path))
    if run.record.status == "diverged":
        rate = run.document.training.optimizer.learning_rate * LOWER_RATE
        setting = f"training.optimizer.learning_rate={rate:.3g}"
        yield "Try again with a lower learning rate", f"{again} {setting}"
    else:
        for purpose, setting in diagnosis.fixes:
            yield purpose, f"{again} {shlex.quote(setting)}"
    if run.best_path.exists():
        yield from _uses(run, folder)
    if fall_at_end(run) and not diagnosis.problems:
        text = f"{again} training.epochs={2 * run.epochs}"
        yield "Train anew, twice as long, with a schedule that is stretched, too", text
    yield "Write this report again", f"netdesc report {folder}"
    yield "Begin a network of your own", "netdesc init mine --template blank"


def _uses(run: Run, folder: str) -> Iterator[tuple[str, str]]:
    """What can be done with the best weights."""
    yield "Measure the best weights", f"netdesc evaluate {folder}"
    pairs = getattr(run.document.data, "train", None)
    if pairs:  # files of spikes
        quoted: str = pairs[0].input.path
        inputs = _absolute(run.files[quoted] if quoted in run.files else run.path / quoted)
        yield (
            "Send spikes through the network, keep what comes out, and draw it",
            f"netdesc run {folder} {inputs} -o output.bs1\n"
            f"netdesc events show output.bs1 -o output.png",
        )
        if (run.path / NETWORK).exists():
            yield (
                "The same in the device's integers; cmp says nothing where both are equal",
                f"netdesc run {folder} {inputs} -o integer.bs1 --arithmetic integer\n"
                f"cmp output.bs1 integer.bs1",
            )
    name = shlex.quote(f"{run.graph.name}.net")
    yield "Write the network as a .net file", f"netdesc export {folder} -o {name}"


def _absolute(path: Path) -> str:
    return shlex.quote(os.path.abspath(path))
