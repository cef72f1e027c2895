"""``netdesc explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.output import Output, SafeText

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_code(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from netdesc.description.codes.explain import titles

    prefix = incomplete.upper()
    return [
        CompletionItem(code, help=title)
        for code, title in titles().items()
        if code.startswith(prefix)
    ]


@click.command(epilog="\b\nExamples:\n  netdesc explain ND101\n  netdesc explain")
@click.argument("code", required=False, shell_complete=_complete_code)
@options.as_json
@click.pass_obj
def explain(output: Output, code: str | None) -> None:
    """Print cause, example and fix of the diagnostic CODE. Without CODE, list all codes."""
    from netdesc.description.codes.explain import explain, record, titles

    if code is None:
        if output.as_json:
            rows = [{"code": each, "title": title} for each, title in titles().items()]
            output.print_json({"codes": rows})
        else:
            output.print(*(f"{each}  {title}" for each, title in titles().items()))
        return
    try:
        text, entry = explain(code), record(code)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if output.as_json:
        output.print_json(entry)
    else:
        output.print(SafeText(text))
