"""``netdesc migrate``."""

from __future__ import annotations

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.rewrite import STANDARD_INPUT, Mode, finish, rewrite


@click.command(
    epilog="\b\nExamples:\n  netdesc migrate --check examples/*.json\n"
    "  netdesc migrate examples/oxford.json"
)
@options.documents
@click.option("--write", is_flag=True, help="Write the result into the files.")
@click.option("--check", is_flag=True, help="Write nothing. List the files in an older format.")
@click.option("--diff", is_flag=True, help="Write nothing. Print what would change.")
@options.json_and_quiet
def migrate(output: Output, files: tuple[str, ...], write: bool, check: bool, diff: bool) -> int:
    """Convert a document to the latest format of the language; print it or write it to its file.

    netdesc reads older formats, so this is optional, but new features need the latest format. The
    result has the layout of netdesc format. A document in the latest format is left unchanged, and
    so is the lock of a run. A single "-" reads standard input.

    With --check or --diff the exit code is 1 if a file would change.
    """
    from netdesc.description.migrate import migrate_text

    if write + check + diff > 1:
        raise click.UsageError("--write, --check and --diff exclude each other")
    if STANDARD_INPUT in files and (write or len(files) > 1):
        raise click.UsageError('"-" is standard input: give no other file, and no --write')
    mode: Mode = "write" if write else "check" if check else "diff" if diff else "print"
    if mode == "print" and len(files) > 1:
        raise click.UsageError("several documents require --write, --check or --diff")
    return finish(output, [rewrite(name, migrate_text) for name in files], mode)
