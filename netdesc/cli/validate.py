"""``netdesc validate``."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import diagnostics_text, options
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.description import Diagnostic


@click.command(
    epilog="\b\nExamples:\n  netdesc validate examples/*.json\n"
    "  netdesc validate --fix --diff examples/oxford.json"
)
@click.argument("files", metavar="FILE.json...", nargs=-1, required=True, type=options.DOCUMENT)
@options.overrides
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How to print the diagnostics.",
)
@click.option("--fix", is_flag=True, help="Apply all unambiguous fixes to the files.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, and write nothing.")
@click.option(
    "--without-data",
    is_flag=True,
    help="Do not check the files that the documents name, such as data and weights.",
)
@click.option(
    "--skip-others",
    is_flag=True,
    help="Skip JSON files that are not netdesc documents. For hooks that pass all JSON files.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if there are warnings.")
@options.json_and_quiet
def validate(
    output: Output, files: tuple[Path, ...], overrides: tuple[str, ...], form: str, **flags: bool
) -> int:
    """Check documents and report all diagnostics, with line, column and a suggestion.

    --fix can apply the fixes marked with [*]: misspelt keys, types and names with only one possible
    meaning, numbers in quotes, a missing format. It changes nothing else in the file, and does not
    write the values of --set. --diff prints the changes and writes nothing. The exit code describes
    the files as they are after --fix.
    """
    if output.as_json and form == "github":
        raise click.UsageError("--json and --format github exclude each other")
    from netdesc.api.load import check
    from netdesc.description import to_json
    from netdesc.description.diagnostics.wording import amount
    from netdesc.description.source import may_be_document

    output.as_json |= form == "json"
    if flags["skip_others"]:
        files = tuple(filter(may_be_document, files))
    record, code = dict[str, Any](), 0
    if flags["fix"] or flags["diff"]:
        from netdesc.cli.fix import fix_files

        record, code = fix_files(output, files, is_diff=flags["diff"], as_text=form == "text")
    with_files = not flags["without_data"]
    results = [check(file, overrides, with_files=with_files) for file in files]
    diagnostics = [diagnostic for _, own in results for diagnostic in own]
    unchecked = [note for checked, _ in results if checked for note in checked.unchecked]
    if form == "github":
        _print_for_github(output, diagnostics, len(files))
    elif output.as_json:
        output.print_json(to_json(diagnostics, len(files)) | record | {"unchecked": unchecked})
    elif not flags["diff"]:  # with --diff, standard output is the diff only, for ``patch``
        if diagnostics:
            text = diagnostics_text.format_diagnostics(diagnostics, sys.stdout, files=len(files))
            output.print(text)
        else:
            output.info(f"{amount(len(files), 'file')}: no diagnostics")
        for note in unchecked:
            output.info(f"note: {note}")
    has_failed_strictly = flags["strict"] and bool(diagnostics)
    return code or diagnostics_text.exit_code(diagnostics) or int(has_failed_strictly)


def _print_for_github(output: Output, diagnostics: "Sequence[Diagnostic]", files: int) -> None:
    from netdesc.description.diagnostics.github import workflow_command
    from netdesc.description.diagnostics.wording import amount, kinds

    root = Path(os.environ.get("GITHUB_WORKSPACE") or os.getcwd())
    for diagnostic in diagnostics:
        output.print(workflow_command(diagnostic, root))
    counts = ", ".join(kinds(diagnostics)) or "no diagnostics"
    output.info(f"netdesc: {counts} in {amount(files, 'file')}")
