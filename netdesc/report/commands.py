"""What to do next with a run: commands that work for it as it stands."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netdesc.report.course import is_annealed, was_falling
from netdesc.report.faults import Faults
from netdesc.report.run import Run
from netdesc.report.standing import Standing
from netdesc.run_files import LOCK, NETWORK

LOWER_RATE = 0.3
"""What the learning rate of a run that diverged is multiplied with for the next attempt."""


@dataclass(frozen=True)
class Command:
    """What it is good for, and its text for a shell."""

    purpose: str
    text: str


def given_commands(run: Run) -> list[Command]:
    """The command that began the run, and the last one that took it up again."""
    record = run.record
    if not record.resumed:
        given = [("The command", record.command, record.directory)]
    else:
        given = [
            ("The first command", record.first_command, record.first_directory),
            ("The command that took it up again last", record.command, record.directory),
        ]
    return [
        Command(purpose, f"cd {shlex.quote(directory)}\n{text}" if directory else text)
        for purpose, text, directory in given
        if text
    ]


def next_steps(run: Run, stands: Standing, faults: Faults) -> list[Command]:
    """Commands for a run, the most useful one first. Paths are absolute: they work anywhere."""
    return [
        *_onward(run, stands, faults),
        *_uses(run),
        *_longer(run, faults),
        Command("Write this report again", f"netdesc report {_absolute(run.path)}"),
        Command("Begin a network of your own", "netdesc init mine --template blank"),
    ]


def _onward(run: Run, stands: Standing, faults: Faults) -> Iterator[Command]:
    """To go on, or to begin again with what may mend what is at fault."""
    lock = _absolute(run.path / LOCK)
    if stands.can_resume:
        yield Command("Go on with this run", f"netdesc train --resume {_absolute(run.path)}")
    if run.record.status == "diverged":
        rate = run.document.training.optimizer.learning_rate * LOWER_RATE
        yield Command(
            "Try again with a lower learning rate",
            f"netdesc compile-and-train {lock} --set training.optimizer.learning_rate={rate:.3g}",
        )
        return
    for each in faults.tries:
        yield Command(
            each.purpose, f"netdesc compile-and-train {lock} --set {shlex.quote(each.setting)}"
        )


def _uses(run: Run) -> Iterator[Command]:
    """What can be done with the best weights."""
    if not run.best_path.exists():
        return
    folder, inputs = _absolute(run.path), _input_file(run)
    yield Command("Measure the best weights", f"netdesc evaluate {folder}")
    if inputs is not None:
        yield Command(
            "Send spikes through the network, keep what comes out, and draw it",
            f"netdesc run {folder} {inputs} -o output.bs1\n"
            f"netdesc events show output.bs1 -o output.png",
        )
    if inputs is not None and (run.path / NETWORK).exists():
        yield Command(
            "The same in the device's integers; cmp says nothing where both are equal",
            f"netdesc run {folder} {inputs} -o integer.bs1 --arithmetic integer\n"
            f"cmp output.bs1 integer.bs1",
        )
    name = f"{run.graph.name}.net"
    yield Command("Write the network as a .net file", f"netdesc export {folder} -o {name}")


def _longer(run: Run, faults: Faults) -> Iterator[Command]:
    """Twice the epochs, where the loss still fell in the last of them and nothing is at fault."""
    if faults.notes or not was_falling(run):
        return
    stretched = ", which stretches the schedule, too" if is_annealed(run) else ""
    yield Command(
        f"Train anew, and twice as long{stretched}",
        f"netdesc compile-and-train {_absolute(run.path / LOCK)} "
        f"--set training.epochs={2 * run.epochs}",
    )


def _input_file(run: Run) -> str | None:
    """The first input of the training data, where the data is files of spikes."""
    pairs = getattr(run.document.data, "train", None)
    if not pairs:
        return None
    quoted = pairs[0].input.path
    return _absolute(run.files[quoted] if quoted in run.files else run.path / quoted)


def _absolute(path: Path) -> str:
    return shlex.quote(os.path.abspath(path))
