"""``netdesc schema``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from netdesc.cli.output import Output, SafeText

FILES = {"json": Path("schemas/network.schema.json"), "markdown": Path("schemas/reference.md")}


@click.command(
    epilog="\b\nExamples:\n  netdesc schema --check\n  netdesc schema --format markdown --write"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FILES)),
    default="json",
    help="json: the JSON Schema, for programs. markdown: the reference, for people.",
)
@click.option("--write", is_flag=True, help="Write it to FILE.")
@click.option("--check", is_flag=True, help="Fail if FILE is missing or out of date.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def schema(output: Output, form: str, file: Path | None, write: bool, check: bool) -> int:
    """Print the JSON Schema or the reference of the description language.

    FILE is the file for --write and --check. Default: schemas/network.schema.json or
    schemas/reference.md.
    """
    if write and check:
        raise click.UsageError("--write and --check exclude each other")
    text = _text(form)
    path = file or FILES[form]
    if write:
        path.write_text(text, encoding="utf-8")
        output.info(f"wrote {path}")
    elif check:
        problem = _find_problem(path, text)
        if problem:
            argument = f" {shlex.quote(str(file))}" if file else ""
            option = "" if form == "json" else f" --format {form}"
            output.error(f"{path} {problem}; run: netdesc schema{option} --write{argument}")
            return 1
        output.info(f"{path} is up to date")
    else:
        output.print(SafeText(text.rstrip("\n")))
    return 0


def _text(form: str) -> str:
    if form == "markdown":
        from netdesc.description.reference import reference_text

        return reference_text()
    from netdesc.description import schema_text

    return schema_text()


def _find_problem(path: Path, text: str) -> str:
    """Returns the problem of a file that should contain ``text``; empty if there is no problem."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    # git may have converted the line ends.
    return "" if content.replace(b"\r\n", b"\n") == text.encode() else "is out of date"
