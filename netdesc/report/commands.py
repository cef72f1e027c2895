"""What to do next with a run: commands that work for it as it stands."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def next_steps(run: Run, stands: Standing) -> list[Command]:
    """Commands for a run, the most useful one first. Paths are absolute: they work anywhere."""
    return list(_steps(run, stands))


def _steps(run: Run, stands: Standing) -> Iterator[Command]:
    folder = _absolute(run.path)
    lock = _absolute(run.path / LOCK)
    training = run.document.training
    if stands.can_resume:
        yield Command("Go on with this run", f"netdesc train --resume {folder}")
    if run.record.status == "diverged":
        rate = training.optimizer.learning_rate * LOWER_RATE
        yield Command(
            "Try again with a lower learning rate",
            f"netdesc compile-and-train {lock} --set training.optimizer.learning_rate={rate:.3g}",
        )
    if run.best_path.exists():
        yield Command("Measure the best weights", f"netdesc evaluate {folder}")
        name = f"{run.graph.name}.net"
        inputs = _input_file(run)
        if inputs is not None:
            yield Command(
                "Send spikes through the network and keep what comes out",
                f"netdesc run {folder} {inputs} -o output.bs1",
            )
        if inputs is not None and (run.path / NETWORK).exists():
            yield Command(
                "The same in the device's integers",
                f"netdesc run {_absolute(run.path / NETWORK)} {inputs} --arithmetic integer",
            )
        yield Command("Write the network as a .net file", f"netdesc export {folder} -o {name}")
    if run.record.status == "done" and not run.record.stopped_early:
        yield Command(
            "Train anew, and twice as long",
            f"netdesc compile-and-train {lock} --set training.epochs={2 * run.epochs}",
        )
    yield Command("Write this report again", f"netdesc report {folder}")


def _input_file(run: Run) -> str | None:
    """The first input of the training data, where the data is files of spikes."""
    pairs = getattr(run.document.data, "train", None)
    if not pairs:
        return None
    quoted = pairs[0].input.path
    return _absolute(run.files[quoted] if quoted in run.files else run.path / quoted)


def _absolute(path: Path) -> str:
    return shlex.quote(os.path.abspath(path))
