"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., Any])


def _complete_override(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from netdesc.cli.completion_values import complete_override

    return complete_override(ctx, incomplete)


overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=_complete_override,
    help="Override a value of the document, as training.epochs=50; may be repeated.",
)
DOCUMENT = click.Path(path_type=Path, readable=False)
"""One that cannot be read is a finding, and no reason to leave out others."""
document = click.argument("file", metavar="FILE.json", type=DOCUMENT)
documents = click.argument(
    "files",
    metavar="FILE.json...",
    nargs=-1,
    required=True,
    type=click.Path(readable=False, allow_dash=True),
)
"""Names of documents; "-" is standard input."""


def _use_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Output).as_json |= value


def _be_quiet(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Output).quiet |= value


# Eager, so that faults in the other options are already reported in the form that was asked for.
as_json = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_use_json,
    help="Print one JSON object on standard output, all else on standard error.",
)
quiet = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_be_quiet,
    help="Print results and errors only.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
engine = click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Which kernels to compute with; reference is the slow definition.",
)
