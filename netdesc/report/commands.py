"""The commands in a report: commands that produced the run, and suggestions for the next step."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from netdesc.description.models import SpikeFiles
from netdesc.report.diagnosis import Diagnosis
from netdesc.report.loss_trend import could_stop_early, fall_at_end
from netdesc.report.run import RunData
from netdesc.report.status import RunStatus
from netdesc.runs.files import LOCK, NETWORK
from netdesc.runs.state import resume_command

_NEED_DATA = ("netdesc train", "netdesc compile-and-train", "netdesc evaluate")


class Command(NamedTuple):
    """A shell command (``text``), and a description of its effect (``purpose``)."""

    purpose: str
    text: str


def run_commands(run: RunData) -> list[Command]:
    """Returns the command that started the run, and the last command that resumed it, if any."""
    record = run.record
    commands = [("The command", record.command, record.directory)]
    if record.resumed:
        commands = [
            ("The command that started the run", record.first_command, record.first_directory),
            ("The last command that resumed the run", record.command, record.directory),
        ]
    return [
        Command(purpose, f"cd {shlex.quote(directory)}\n{text}" if directory else text)
        for purpose, text, directory in commands
        if text
    ]


def next_steps(run: RunData, status: RunStatus, diagnosis: Diagnosis) -> list[Command]:
    """Suggests commands for the next step, with absolute paths; the most useful one comes first.

    If the run trained on arrays of a Python program, commands that need its data are left out.
    """
    has_data = run.document.data is not None
    steps = [Command(*each) for each in _next_steps(run, status, diagnosis)]
    return [step for step in steps if has_data or not step.text.startswith(_NEED_DATA)]


def _next_steps(run: RunData, status: RunStatus, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    folder = _absolute(run.path)
    retrain = f"netdesc compile-and-train {_absolute(run.path / LOCK)}"
    if status.can_resume:
        yield "Resume this run", resume_command(os.path.abspath(run.path))
    for purpose, settings in diagnosis.fixes:
        yield purpose, " ".join([retrain, *(f"--set {shlex.quote(each)}" for each in settings)])
    if run.best_path.exists():
        yield from _uses_of_weights(run, folder)
    if fall_at_end(run) and not diagnosis.problems:
        text = f"{retrain} --set training.epochs={2 * run.epochs}"
        yield "Train from the start, with twice as many epochs", text
    if could_stop_early(run) and not diagnosis.diverged:
        setting = f"training.early_stopping.patience_epochs={max(1, run.epochs // 10)}"
        text = f"{retrain} --set {setting}"
        yield "Train again, and stop when the validation loss no longer falls", text
    yield "Write this report again", f"netdesc report {folder}"
    yield "Start a network of your own", "netdesc init mine --template blank"


def _uses_of_weights(run: RunData, folder: str) -> Iterator[tuple[str, str]]:
    """Yields purpose and text of each command that uses the best weights."""
    yield "Measure the best weights", f"netdesc evaluate {folder}"
    data = run.document.data
    if isinstance(data, SpikeFiles):
        path = data.train[0].input.path
        inputs = _absolute(run.files[path] if path in run.files else run.path / path)
        yield (
            "Run the network on input spikes, save its output and draw it",
            f"netdesc run {folder} {inputs} -o output.bs1\n"
            f"netdesc events show output.bs1 -o output.png",
        )
    if (run.path / NETWORK).exists():  # else the network has no such form, or no weights yet
        yield "Verify that the .net file is what was trained", f"netdesc verify {folder}"
        name = shlex.quote(f"{run.graph.name}.net")
        yield "Write the network as a .net file", f"netdesc export {folder} -o {name}"


def _absolute(path: Path) -> str:
    return shlex.quote(os.path.abspath(path))
