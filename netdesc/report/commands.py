"""The commands in a report: commands that produced the run, and suggestions for the next step."""

import os
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from netdesc.report.run import RunData
from netdesc.report.verdict import RunStatus, could_stop_early, fall_at_end
from netdesc.runs.folder import LOCK, NETWORK
from netdesc.runs.state import resume_command, set_arguments


class Command(NamedTuple):
    """A shell command or a call in Python (``text``), and what it does (``purpose``)."""

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


def next_steps(run: RunData, status: RunStatus) -> Iterator[Command]:
    """Yields commands for the next step; the most useful one comes first.

    If the run trained on arrays of a Python program, those that need its data are calls in Python.
    """
    data, path = run.document.data, os.path.abspath(run.path)
    folder, lock = shlex.quote(path), os.path.abspath(run.path / LOCK)
    if status.can_resume:
        yield Command("Resume this run", resume_command(path))
    for purpose, settings, resumes in advice(run):
        text = f"netdesc compile-and-train {shlex.quote(lock)} {set_arguments(settings)}"
        if resumes:
            text = resume_command(path, settings)
        elif data is None:
            text = f"netdesc.train(netdesc.load({lock!r}, {settings}), data=…)"
        yield Command(purpose, text)
    if run.best_path.exists():
        in_python = f"netdesc.evaluate({path!r}, data=…)"
        measure = in_python if data is None else f"netdesc evaluate {folder}"
        yield Command("Measure the best weights", measure)
        if data is not None and data.pairs:
            file = data.pairs["train"][0].input.path
            inputs = shlex.quote(os.path.abspath(run.files.get(file, run.path / file)))
            yield Command(
                "Run the network on input spikes, save its output and draw it",
                f"netdesc run {folder} {inputs} -o output.bs1\n"
                f"netdesc events show output.bs1 -o output.png",
            )
        if (run.path / NETWORK).exists():  # else the network has no such form, or no weights yet
            verify = f"netdesc verify {folder}"
            yield Command("Verify that the .net file is what was trained", verify)
            name = shlex.quote(f"{run.graph.name}.net")
            yield Command("Write the network as a .net file", f"netdesc export {folder} -o {name}")
    yield Command("Write this report again", f"netdesc report {folder}")
    yield Command("Start a network of your own", "netdesc init mine --template blank")


class Advice(NamedTuple):
    """A purpose, and arguments of ``--set`` for another training, or for resuming this run."""

    purpose: str
    settings: list[str]
    resumes: bool = False

    @property
    def text(self) -> str:
        return f"{self.purpose}: {'--resume RUN ' * self.resumes}{set_arguments(self.settings)}"


def advice(run: RunData) -> Iterator[Advice]:
    """Yields what may help, the best advice first."""
    findings = [finding for finding in run.record.findings if not finding.is_over]
    fixes = {purpose: settings for finding in findings for purpose, settings in finding.fixes}
    yield from (Advice(*fix) for fix in fixes.items())
    is_perfect = run.metrics.at_best("accuracy") == 1
    if fall_at_end(run) and not fixes and not is_perfect:
        is_cosine = run.document.training.schedule.type == "cosine"
        widths = [layer.neuron.width_schedule for layer in run.graph.neuron_layers]
        # If one of them depends on the number of epochs, a longer training differs from its start.
        resumes = not is_cosine and all(isinstance(width, int | float) for width in widths)
        settings = [f"training.epochs={2 * run.epochs}"]
        way = "Train on" if resumes else "Train from the start"
        yield Advice(f"{way}, with twice as many epochs", settings, resumes)
    if could_stop_early(run) and run.unstable is None:
        setting = f"training.early_stopping.patience_epochs={max(1, run.epochs // 10)}"
        yield Advice("Train again, and stop when the validation loss no longer falls", [setting])
