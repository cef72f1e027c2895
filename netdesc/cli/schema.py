"""``netdesc schema``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from netdesc.cli.output import Output

FILES = {"json": Path("schemas/network.schema.json"), "markdown": Path("schemas/reference.md")}


@click.command(
    epilog="\b\nExamples:\n  netdesc schema --check\n  netdesc schema --format markdown --write"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FILES)),
    default="json",
    show_default=True,
    help="JSON Schema for programs, or the reference of the language in Markdown.",
)
@click.option("--write", is_flag=True, help="Write it into the file.")
@click.option("--check", is_flag=True, help="Fail when the file is missing or stale.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def schema(output: Output, form: str, file: Path | None, write: bool, check: bool) -> int:
    """Print the description language: as JSON Schema, or as its reference.

    FILE is where --write puts it and --check looks for it: schemas/network.schema.json or
    schemas/reference.md by default.
    """
    if write and check:
        raise click.UsageError("--write and --check exclude each other")
    text = _text(form)
    path = file or FILES[form]
    if write:
        path.write_text(text, encoding="utf-8")
        output.note(f"wrote {path}")
    elif check:
        fault = _fault(path, text)
        if fault:
            named = f" {shlex.quote(str(file))}" if file else ""
            option = "" if form == "json" else f" --format {form}"
            output.complain(f"{path} {fault}; run: netdesc schema{option} --write{named}")
            return 1
        output.note(f"{path} is up to date")
    else:
        output.say(text.rstrip("\n"))
    return 0


def _text(form: str) -> str:
    if form == "markdown":
        from netdesc.description.reference import reference_text

        return reference_text()
    from netdesc.description import schema_text

    return schema_text()


def _fault(path: Path, text: str) -> str:
    """What is wrong with the file that should hold the text; empty where it does."""
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    # Some checkouts have other line ends.
    return "" if held.replace(b"\r\n", b"\n") == text.encode() else "is stale"
