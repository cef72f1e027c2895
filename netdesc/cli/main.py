"""The entry point: the table of commands, and one place where every outcome gets its exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from netdesc import __version__
from netdesc.cli.failures import Failures
from netdesc.cli.lazy_group import Entry, LazyGroup
from netdesc.cli.output import Output

COMMANDS = {
    "init": Entry("netdesc.cli.init:init", "Make a folder with a network that trains.", "Start"),
    "doctor": Entry(
        "netdesc.cli.doctor.command:doctor", "Say what works on this machine.", "Start"
    ),
    "completion": Entry(
        "netdesc.cli.completion:completion", "Let the shell complete commands with TAB.", "Start"
    ),
    "compile-and-train": Entry(
        "netdesc.cli.train:compile_and_train",
        "From the document to the trained, exported network.",
        "Train",
    ),
    "train": Entry("netdesc.cli.train:train", "Train a network, or go on with a run.", "Train"),
    "compile": Entry(
        "netdesc.cli.compile:compile_command", "Build a network and its kernels.", "Train"
    ),
    "bench": Entry(
        "netdesc.cli.bench:bench", "Measure time and memory, also of other programs.", "Train"
    ),
    "show": Entry("netdesc.cli.show:show", "Show the layers of a network with their shapes."),
    "diff": Entry("netdesc.cli.diff:diff", "Say in what two documents or runs differ."),
    "report": Entry("netdesc.cli.report:report", "Write the report of a run, one HTML file."),
    "evaluate": Entry(
        "netdesc.cli.evaluate:evaluate", "Measure a network: accuracy, confusion, spike rates."
    ),
    "run": Entry("netdesc.cli.run:run", "Send spikes through a network."),
    "events": Entry("netdesc.cli.events:events", "Convert, draw and animate files of spikes."),
    "export": Entry(
        "netdesc.cli.exchange:export", "Write the network of a run as a .net file.", "Exchange"
    ),
    "import": Entry(
        "netdesc.cli.exchange:import_command", "Turn a .net file into a document.", "Exchange"
    ),
    "validate": Entry(
        "netdesc.cli.validate:validate", "Check documents and report every finding.", "Language"
    ),
    "format": Entry("netdesc.cli.format:format_documents", "Lay documents out anew.", "Language"),
    "migrate": Entry(
        "netdesc.cli.migrate:migrate", "Bring documents into the present format.", "Language"
    ),
    "explain": Entry(
        "netdesc.cli.explain:explain", "Explain a diagnostic by its code.", "Language"
    ),
    "schema": Entry(
        "netdesc.cli.schema:schema", "Print, write or check the JSON Schema.", "Language"
    ),
}

COMPLETE_VARIABLE = "_NETDESC_COMPLETE"
"""Set by a shell that asks what could be typed next; click derives this name from the program's."""

ELSEWHERE = {
    "resume": "train --resume RUN",
    "continue": "train --resume RUN",
    "fit": "train",
    "build": "compile",
    "benchmark": "bench",
    "new": "init",
    "create": "init",
    "check": "validate",
    "lint": "validate",
    "fix": "validate --fix",
    "fmt": "format",
    "summary": "show",
    "info": "show",
    "eval": "evaluate",
    "test": "evaluate RUN --part test",
    "predict": "run",
    "infer": "run",
    "simulate": "run",
    "convert": "events convert",
    "plot": "report",
    "version": "--version",
}
"""What to type for the words of other programs."""

EPILOG = """\b
Start with:
  netdesc init first
  cd first
  netdesc compile-and-train first.json

\b
Exit codes: 0 fine, 1 the document or file is at fault, 2 usage, 3 missing data or
environment, 4 training diverged, 70 a bug in netdesc, 130 interrupted.
"""


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    elsewhere=ELSEWHERE,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="netdesc", message="%(prog)s %(version)s")
@click.pass_context
def netdesc(ctx: click.Context) -> None:
    """Compile a JSON description of a spiking network into a trained network."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; a command's return value is its exit code (None is 0)."""
    _have_streams()
    _never_fail_for_a_sign()
    if COMPLETE_VARIABLE in os.environ:
        importlib.import_module("netdesc.cli.completion")  # registers its shells with click
    output = Output()
    with Failures(output):
        code = netdesc.main(
            args=None if arguments is None else list(arguments),
            prog_name="netdesc",
            standalone_mode=False,
            obj=output,
        )
        output.flush()
        sys.exit(code or 0)
    raise AssertionError("Failures always exits")


def _have_streams() -> None:
    """Where a standard stream was closed, nothing is read from it and nothing seen of it.

    Python has no such stream then, and the next file that is opened would take its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (it stays open)


def _never_fail_for_a_sign() -> None:
    """Let standard output show ``?`` for what its encoding lacks (standard error does so, too)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
