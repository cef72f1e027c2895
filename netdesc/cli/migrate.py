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
@click.option("--check", is_flag=True, help="Write nothing; name the files of an older format.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@options.as_json
@options.quiet
@click.pass_obj
def migrate(output: Output, files: tuple[str, ...], write: bool, check: bool, diff: bool) -> int:
    """Print a document in the present format of the language, or write it into its file.

    Documents of older formats are read as they are, so nobody has to; but they take what is new
    only when they have been written anew. The result is laid out as by netdesc format. A document
    in the present format stays as it is, and so does the lock of a run. A single "-" reads standard
    input.

    With --check or --diff the exit code is 1 where a file would change.
    """
    from netdesc.description.migrate import migrate_text

    if write + check + diff > 1:
        raise click.UsageError("--write, --check and --diff exclude each other")
    if STANDARD_INPUT in files and (write or len(files) > 1):
        raise click.UsageError('"-" is standard input: it stands alone, and cannot be written')
    mode: Mode = "write" if write else "check" if check else "diff" if diff else "print"
    if mode == "print" and len(files) > 1:
        raise click.UsageError("several documents need --write, --check or --diff")
    return finish(output, [rewrite(name, migrate_text) for name in files], mode)
