"""The table of commands, and a click group that imports a command only when it runs."""

import pkgutil
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECTIONS = {
    "Start": {
        "init": ("init:init", "Create a folder with a network to train."),
        "doctor": ("doctor:doctor", "Check that netdesc works on this machine."),
        "completion": ("main:completion", "Print the script for completion with TAB."),
    },
    "Train": {
        "compile-and-train": (
            "train:compile_and_train",
            "Check, compile, train and export a network.",
        ),
        "train": ("train:train", "Train a network, or resume a run."),
        "sweep": ("sweep:sweep", "Train a network with other values, and find the best."),
        "compile": ("train:compile_command", "Build a network and compile its kernels."),
        "bench": ("bench:bench", "Measure how fast training is."),
    },
    "Look": {
        "show": ("show:show", "Show the layers of a network with their shapes."),
        "diff": ("diff:diff", "Show how two documents or runs differ."),
        "runs": ("runs:runs", "List runs, and what differs in their documents."),
        "report": ("report:report", "Write the report of a run, or a comparison of several."),
        "evaluate": ("evaluate:evaluate", "Measure accuracy, confusion matrix and spike rates."),
        "run": ("run:run", "Send spikes through a network."),
        "verify": ("verify:verify", "Prove that the export is what was trained."),
        "events": ("events:events", "Convert, draw and animate files of spikes."),
    },
    "Exchange": {
        "export": ("exchange:export", "Write the network of a run as .net, .nir, .c or .py."),
        "import": ("exchange:import_command", "Turn a .net or .nir file into a document."),
    },
    "Language": {
        "validate": ("validate:validate", "Check documents and report every diagnostic."),
        "explain": ("explain:explain", "Explain a diagnostic by its code."),
        "schema": ("schema:schema", "Print, write or check the JSON Schema."),
    },
}
"""Heading in the help -> name of a command -> its ``module:attribute`` in ``netdesc.cli``, and its
line in the help."""

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
"""Name of a command -> its place and its line in the help, as in ``SECTIONS``."""

SUGGESTIONS = {
    **dict.fromkeys(("resume", "continue"), "train --resume RUN"),
    "fit": "train",
    "build": "compile",
    "benchmark": "bench",
    **dict.fromkeys(("hyperopt", "tune", "optimize", "search"), "sweep"),
    **dict.fromkeys(("new", "create"), "init"),
    **dict.fromkeys(("check", "lint"), "validate"),
    "fix": "validate --fix",
    **dict.fromkeys(("summary", "info"), "show"),
    "eval": "evaluate",
    "test": "evaluate RUN --part test",
    **dict.fromkeys(("predict", "infer", "simulate"), "run"),
    "convert": "events convert",
    "plot": "report",
    **dict.fromkeys(("list", "ls"), "runs"),
    "compare": "report RUN1 RUN2",
    "version": "--version",
}
"""Command names of other programs, and the netdesc commands to type instead."""

COMMANDS_BY_SUFFIX = {
    ".json": "compile-and-train",
    **dict.fromkeys((".net", ".nir"), "show"),
    **dict.fromkeys((".bs1", ".bs2", ".bin", ".npy"), "events show"),
}
"""Suffixes of files, and the commands that use such files."""


class LazyGroup(click.Group):
    """Lists its commands from a table, so that ``--help`` imports no command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return pkgutil.resolve_name(f"netdesc.cli.{COMMANDS[cmd_name][0]}")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Completes command names without importing the commands, and the group's own options."""
        from click.shell_completion import CompletionItem

        names = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name][1]) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, section in SECTIONS.items():
            with formatter.section(heading):
                rows = [(name.ljust(width), summary) for name, (_, summary) in section.items()]
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggests what to type for an unknown name; click's own would import every command."""
        is_known = not args or args[0].startswith("-") or args[0] in COMMANDS
        if not is_known and not ctx.resilient_parsing:
            from difflib import get_close_matches

            name, similar = args[0], get_close_matches(args[0], COMMANDS, n=1)
            meant = SUGGESTIONS.get(name) or next(iter(similar), None)
            if command := COMMANDS_BY_SUFFIX.get(Path(name).suffix.lower()):  # the name of a file
                meant = f"{command} {shlex.quote(name)}"
            ctx.fail(f'no command "{name}".' + (f' Did you mean "{meant}"?' if meant else ""))
        return super().resolve_command(ctx, args)
