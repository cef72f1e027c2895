"""``netdesc doctor``."""

from __future__ import annotations

import sys
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.exit_codes import ENVIRONMENT
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.cli.doctor.probes import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}
_INDENT = " " * 27
_VERDICTS = {
    "fault": "training does not work here before what is marked as a fault is mended",
    "warning": "training works here, with warnings",
    "ok": "everything that training needs works here",
}


@click.command(epilog="\b\nExamples:\n  netdesc doctor\n  netdesc doctor --json > doctor.json")
@options.as_json
@options.quiet
@click.pass_obj
def doctor(output: Output) -> int:
    """Say what works on this machine, and how to get what does not.

    Tries packages and engines out, and looks at cores, memory, disk and terminal. The first time
    this compiles kernels, as the first training would. Ends with exit code 3 where something is
    broken that training needs. With --quiet only what is not well is told.
    """
    from netdesc.cli.doctor.checks import examine

    output.note("trying things out; the first time kernels are compiled, in up to a minute …")
    found = examine()
    states = {each.state for each in found.values()}
    worst = next(state for state in _VERDICTS if state in states)
    code = ENVIRONMENT if worst == "fault" else 0
    if output.as_json:
        rows = [{"topic": topic, **each._asdict()} for topic, each in found.items()]
        output.give({"status": worst, "exit_code": code, "rows": rows})
        return code
    for topic, each in found.items():
        if each.state != "ok" or not output.quiet:
            output.say(_text(topic, each, output.has_colour(sys.stdout)))
    output.say(f"\n{_VERDICTS[worst]}")
    return code


def _text(topic: str, found: Finding, colour: bool) -> str:
    """A row, wrapped to the terminal; what to do stands in a line of its own."""
    columns = get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrapper = textwrap.TextWrapper(
        max(columns, 2 * len(_INDENT)),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    text = wrapper.fill(found.found)
    if found.way_out:
        text += "\n" + wrapper.fill(f"→ {found.way_out}")
    state = found.state.ljust(8)
    head = click.style(state, fg=_COLOURS[found.state]) if colour else state
    return f"{head} {topic.ljust(17)} {text.lstrip()}"
