"""``netdesc explain``."""

from __future__ import annotations

import click

from netdesc.cli.output import Output


@click.command(epilog="Example: netdesc explain ND101")
@click.argument("code")
@click.pass_obj
def explain(output: Output, code: str) -> None:
    """Print cause, example and fix of the diagnostic CODE."""
    from netdesc import description

    try:
        text = description.explain(code)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    output.say(text)
