"""The entry point of the command line: the table of commands, and ``main``, which runs one."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from netdesc import __version__
from netdesc.cli.failures import Failures
from netdesc.cli.lazy_group import LazyGroup
from netdesc.cli.output import Output

SECTIONS = {
    "Start": {
        "init": ("init:init", "Create a folder with a network to train."),
        "doctor": ("doctor.command:doctor", "Check that netdesc works on this machine."),
        "completion": ("completion:completion", "Print the script for completion with TAB."),
    },
    "Train": {
        "compile-and-train": (
            "train:compile_and_train",
            "Check, compile, train and export a network.",
        ),
        "train": ("train:train", "Train a network, or resume a run."),
        "compile": ("compile:compile_command", "Build a network and compile its kernels."),
        "bench": ("bench:bench", "Measure how fast training is, and compare."),
    },
    "Look": {
        "show": ("show:show", "Show the layers of a network with their shapes."),
        "diff": ("diff:diff", "Show how two documents or runs differ."),
        "report": ("report:report", "Write the report of a run as one HTML file."),
        "evaluate": ("evaluate:evaluate", "Measure accuracy, confusion matrix and spike rates."),
        "run": ("run:run", "Send spikes through a network."),
        "verify": ("verify:verify", "Prove that the export is what was trained."),
        "events": ("events:events", "Convert, draw and animate files of spikes."),
    },
    "Exchange": {
        "export": ("exchange:export", "Write the network of a run as a .net file."),
        "import": ("exchange:import_command", "Turn a .net file into a document."),
    },
    "Language": {
        "validate": ("validate:validate", "Check documents and report every diagnostic."),
        "format": ("format:format_documents", "Format the text of documents."),
        "migrate": ("migrate:migrate", "Update documents to the latest format."),
        "explain": ("explain:explain", "Explain a diagnostic by its code."),
        "schema": ("schema:schema", "Print, write or check the JSON Schema."),
    },
}
"""Heading in the help -> name of a command -> its ``module:attribute`` in ``netdesc.cli``, and its
line in the help."""

COMPLETE_VARIABLE = "_NETDESC_COMPLETE"
"""The shell sets this variable to ask for completions. click derives its name from ``netdesc``."""

SUGGESTIONS = {
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
    "compare": "diff",
    "version": "--version",
}
"""Command names of other programs, and the netdesc commands to type instead."""

COMMANDS_BY_SUFFIX = {
    ".json": "compile-and-train",
    ".net": "show",
    **dict.fromkeys((".bs1", ".bs2", ".bin", ".npy"), "events show"),
}
"""Suffixes of files, and the commands that use such files."""

EPILOG = """\b
Start with:
  netdesc init first
  cd first
  netdesc compile-and-train first.json

\b
Exit codes: 0 success, 1 a document or file is wrong, 2 wrong usage, 3 missing data or
environment, 4 training diverged, 70 a bug in netdesc, 130 interrupted.
"""


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    suggestions=SUGGESTIONS,
    commands_by_suffix=COMMANDS_BY_SUFFIX,
    epilog=EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, prog_name="netdesc", message="%(prog)s %(version)s")
@click.pass_context
def netdesc(ctx: click.Context) -> None:
    """Compile a JSON description of a spiking network into a trained network."""
    if ctx.invoked_subcommand not in _LOAD_TORCH:
        return
    try:
        os.getcwd()
    except FileNotFoundError:  # torch would kill the process
        message = "the working directory was deleted; go to another folder"
        raise FileNotFoundError(errno.ENOENT, message) from None


_LOAD_TORCH = (
    "bench", "compile-and-train", "evaluate", "export", "import", "init", "run", "train", "verify",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits. A command returns its exit code, or None for 0."""
    _replace_closed_streams()
    _replace_unencodable_characters()
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


def _replace_closed_streams() -> None:
    """Connects a closed standard stream to the null device.

    Otherwise Python sets it to None, and the next file that is opened gets its file descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  (stays open to the end)
            setattr(sys, name, null)


def _replace_unencodable_characters() -> None:
    """Lets standard output print ``?`` for characters that it cannot encode."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
