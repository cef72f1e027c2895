"""``netdesc doctor``."""

from __future__ import annotations

import sys
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.exit_codes import ENVIRONMENT
from netdesc.cli.output import Output, SafeText, escape

if TYPE_CHECKING:
    from netdesc.cli.doctor.probes import ProbeResult

_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}
_INDENT = " " * 27
_VERDICTS = {
    "fault": "training does not work here until each fault above is repaired",
    "warning": "training works here, with the warnings above",
    "ok": "everything that training needs works here",
}


@click.command(epilog="\b\nExamples:\n  netdesc doctor\n  netdesc doctor --json > doctor.json")
@options.json_and_quiet
def doctor(output: Output) -> int:
    """Check that netdesc works on this machine, and say how to repair what does not.

    The command tests the packages and the engines, and checks cores, memory, disk and terminal. The
    first time it compiles kernels, as the first training would. The exit code is 3 if something
    that training needs is broken. With --quiet, it prints warnings and faults only.
    """
    from netdesc.cli.doctor.checks import run_all_probes

    output.info("testing packages and engines; compiling kernels may take half a minute …")
    results = run_all_probes()
    states = {each.state for each in results.values()}
    worst = next(state for state in _VERDICTS if state in states)
    code = ENVIRONMENT if worst == "fault" else 0
    if output.as_json:
        rows = [{"topic": topic, **each._asdict()} for topic, each in results.items()]
        output.print_json({"status": worst, "exit_code": code, "rows": rows})
        return code
    for topic, each in results.items():
        if each.state != "ok" or not output.quiet:
            output.print(_format_row(topic, each, output.has_colour(sys.stdout)))
    output.print("", _VERDICTS[worst])
    return code


def _format_row(topic: str, result: ProbeResult, colour: bool) -> SafeText:
    """Formats the result of a probe, wrapped to the terminal. Advice is on a separate line."""
    columns = get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrapper = textwrap.TextWrapper(
        max(columns, 2 * len(_INDENT)),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    text = wrapper.fill(escape(result.found))
    if result.way_out:
        text += "\n" + wrapper.fill(escape(f"→ {result.way_out}"))
    state = result.state.ljust(8)
    head = click.style(state, fg=_COLOURS[result.state]) if colour else state
    return SafeText(f"{head} {topic.ljust(17)} {text.lstrip()}")
