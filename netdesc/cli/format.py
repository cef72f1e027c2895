"""``netdesc format``."""

from __future__ import annotations

import click

from netdesc.cli import options
from netdesc.cli.output import Output
from netdesc.cli.rewrite import STANDARD_INPUT, Mode, finish, rewrite


@click.command(
    epilog="\b\nExamples:\n  netdesc format --check examples/*.json\n"
    "  netdesc format - < examples/oxford.json"
)
@options.documents
@click.option("--check", is_flag=True, help="Write nothing. List the files that would change.")
@click.option("--diff", is_flag=True, help="Write nothing. Print what would change.")
@options.json_and_quiet
def format_documents(output: Output, files: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format documents: an object or list is on one line if it fits, otherwise one entry per line.

    Lines have up to 100 characters and end in LF; a level is indented by two spaces. Values, their
    spelling and the order of keys do not change; a byte order mark is removed. A file whose text is
    not JSON is left unchanged, and so is the lock of a run. The document may have other errors. A
    single "-" reads standard input and prints the result.

    With --check or --diff the exit code is 1 if a file would change.
    """
    from netdesc.description.canonical_layout import formatted

    if STANDARD_INPUT in files and len(files) > 1:
        raise click.UsageError('"-" is standard input: give no other file')
    mode: Mode = "print" if STANDARD_INPUT in files else "write"
    if check or diff:
        mode = "diff" if diff else "check"
    return finish(output, [rewrite(name, formatted) for name in files], mode)
