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
@click.option("--check", is_flag=True, help="Write nothing; name the files that would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@options.as_json
@options.quiet
@click.pass_obj
def format_documents(output: Output, files: tuple[str, ...], check: bool, diff: bool) -> int:
    """Lay documents out anew: objects and lists on one line where that fits, else an entry a line.

    Lines hold 100 characters, a level is two spaces, and lines end in LF. Nothing else changes: no
    value, not how it is written, no order of keys; but a byte order mark goes. A file is replaced
    whole, and left alone where its text is no JSON; whether it makes sense does not matter. The
    lock of a run stays as it is. A single "-" reads standard input and prints the result.

    With --check or --diff the exit code is 1 where a file would change.
    """
    from netdesc.description.canonical_layout import formatted

    if STANDARD_INPUT in files and len(files) > 1:
        raise click.UsageError('"-" is standard input, and stands alone')
    mode: Mode = "print" if STANDARD_INPUT in files else "write"
    if check or diff:
        mode = "diff" if diff else "check"
    return finish(output, [rewrite(name, formatted) for name in files], mode)
