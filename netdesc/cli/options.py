"""Arguments and options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from netdesc.cli.output import Output

Command = TypeVar("Command", bound=Callable[..., Any])

overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a value of the document, for example training.epochs=50. Repeatable.",
)
PATH = click.Path(path_type=Path)
DOCUMENT = click.Path(path_type=Path, readable=False)
"""The click type of a document's path. It accepts files that cannot be read, because ``validate``
reports these files and checks the others."""
document = click.argument("file", metavar="FILE.json", type=DOCUMENT)


def output_path(
    metavar: str, help: str, name: str = "target", **settings: Any
) -> Callable[[Command], Command]:
    """Returns the option ``-o`` for the file or folder to write. ``name`` is the parameter."""
    return click.option("-o", "--output", name, metavar=metavar, type=PATH, help=help, **settings)


def _output_flag(field: str, *names: str, help: str) -> Callable[[Command], Command]:
    """Returns a flag that sets a field of the ``Output``. It is eager, so that errors in other
    options are already printed in the requested format."""

    def set_field(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        output = ctx.ensure_object(Output)
        setattr(output, field, value or getattr(output, field))

    return click.option(
        *names, is_flag=True, is_eager=True, expose_value=False, callback=set_field, help=help
    )


_json = _output_flag(
    "as_json",
    "--json",
    help="Print one JSON object on standard output, and everything else on standard error.",
)
_quiet = _output_flag("quiet", "--quiet", "-q", help="Print results and errors only.")


def json_and_quiet(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--json`` and ``--quiet`` to a command, whose first argument is the ``Output``."""
    return _json(_quiet(click.pass_obj(command)))


class Number(click.FloatRange):
    """A click type for numbers in a range that refuses NaN; click's own range check accepts NaN."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="The device to compute on.",
)
engine = click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "cpu", "cuda"]),
    default="auto",
    help="The kernels to compute with. reference is slow: it defines what the others compute.",
)
