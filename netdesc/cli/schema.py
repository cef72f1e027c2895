"""``netdesc schema``."""

import shlex
from pathlib import Path

import click

from netdesc.cli.output import Output, SafeText

FILES = {"json": Path("schemas/network.schema.json"), "markdown": Path("schemas/reference.md")}
_SIGNATURE_CHARACTERS = 40
"""A file that begins with so many equal characters may be replaced."""


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
    if file is not None and not (write or check):
        raise click.UsageError(f"{file}: a FILE needs --write or --check")
    if form == "markdown":
        from netdesc.description.reference import reference_text as describe
    else:
        from netdesc.description import schema_text as describe
    text = describe()
    path = file or FILES[form]
    if write:
        _write(path, form, text)
        output.info(f"wrote {path}")
    elif check:
        if path.exists() and not path.is_file():  # reading a pipe or a device may not end
            raise click.UsageError(f"{path} is not a regular file; name the file to check")
        # git may have converted the line ends.
        content = path.read_bytes().replace(b"\r\n", b"\n") if path.exists() else None
        if content != text.encode():
            problem = "is missing" if content is None else "is out of date"
            argument = f" {shlex.quote(str(file))}" if file else ""
            option = "" if form == "json" else f" --format {form}"
            output.error(f"{path} {problem}; run: netdesc schema{option} --write{argument}")
            return 1
        output.info(f"{path} is up to date")
    else:
        output.print(SafeText(text.rstrip("\n")))
    return 0


def _write(path: Path, form: str, text: str) -> None:
    """Writes the file atomically. UsageError if it may be another file of the user."""
    from netdesc.atomic_write import atomic_path

    suffix = FILES[form].suffix
    if path.suffix.lower() != suffix:
        raise click.UsageError(f"{path}: --write needs a {suffix} file for this format; name one")
    begin = text[:_SIGNATURE_CHARACTERS].encode()
    if path.is_file() and path.read_bytes().strip()[: len(begin)] not in (b"", begin):
        raise click.UsageError(f"{path} is another file, so it stays; name a new one")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
