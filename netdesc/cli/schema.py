"""``netdesc schema``."""

from __future__ import annotations

from pathlib import Path

import click

from netdesc.cli.output import Output


@click.command(epilog="Example: netdesc schema --check")
@click.option("--write", is_flag=True, help="Write the schema into the file.")
@click.option("--check", is_flag=True, help="Fail when the file is missing or stale.")
@click.argument(
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("schemas/network.schema.json"),
)
@click.pass_obj
def schema(output: Output, file: Path, write: bool, check: bool) -> int:
    """Print the JSON Schema of the description language.

    FILE is where --write puts it and --check looks for it, schemas/network.schema.json by default.
    """
    if write and check:
        raise click.UsageError("--write and --check exclude each other")
    from netdesc.description import schema_text

    text = schema_text()
    if write:
        file.write_text(text, encoding="utf-8")
        output.note(f"wrote {file}")
    elif check:
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            output.complain(f"{file} is stale; run: netdesc schema --write")
            return 1
        output.note(f"{file} is up to date")
    else:
        output.say(text.rstrip("\n"))
    return 0
