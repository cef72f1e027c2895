"""``netdesc doctor``."""

from __future__ import annotations

import sys
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.codes import ENVIRONMENT
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.doctor import Row

_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@click.command(epilog="\b\nExamples:\n  netdesc doctor\n  netdesc doctor --json > doctor.json")
@options.as_json
@options.quiet
@click.pass_obj
def doctor(output: Output) -> int:
    """Say what works on this machine, and how to get what does not.

    Tries packages and engines out, and looks at cores, memory, disk and terminal. Ends with exit
    code 3 where something is broken that training needs. With --quiet only what is not well is
    told.
    """
    from netdesc.doctor import examine

    output.note("trying things out …")
    rows = examine()
    states = [row.state for row in rows]
    worst = next((state for state in ("fault", "warning") if state in states), "ok")
    code = ENVIRONMENT if worst == "fault" else 0
    if output.as_json:
        output.give({"status": worst, "exit_code": code, "rows": [row._asdict() for row in rows]})
        return code
    for row in rows:
        if row.state != "ok" or not output.quiet:
            output.say(_text(output, row))
    output.say(_verdict(states.count("fault"), states.count("warning")))
    return code


def _text(output: Output, row: Row) -> str:
    """A row, wrapped to the terminal; what to do stands in a line of its own."""
    columns = get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    indent = " " * 27
    lines = [row.found] + ([f"→ {row.way_out}"] if row.way_out else [])
    if columns < 60:
        indent = "  "
        lines.insert(0, "")
    wrapped = [
        textwrap.fill(
            line,
            max(columns, 30),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    ]
    head = row.state.ljust(8)
    if output.has_colour(sys.stdout):
        head = click.style(head, fg=_COLOURS[row.state])
    return "\n".join([f"{head} {row.topic.ljust(17)} {wrapped[0].lstrip()}".rstrip(), *wrapped[1:]])


def _verdict(faults: int, warnings: int) -> str:
    if faults:
        return f"\n{_count(faults, 'fault')}: training does not work here before that is mended"
    if warnings:
        return f"\ntraining works here, with {_count(warnings, 'warning')}"
    return "\neverything that training needs works here"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"
