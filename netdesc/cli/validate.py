"""``netdesc validate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from netdesc.cli import diagnostics_ci as formats
from netdesc.cli import diagnostics_text as findings
from netdesc.cli import options
from netdesc.cli.output import Output

FOR_PROGRAMS = {"github": formats.annotate, "sarif": formats.give_sarif}


@click.command(
    epilog="\b\nExamples:\n  netdesc validate examples/*.json\n"
    "  netdesc validate --fix --diff examples/oxford.json"
)
@click.argument("files", metavar="FILE.json...", nargs=-1, required=True, type=options.DOCUMENT)
@options.overrides
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="How to print the findings.",
)
@click.option(
    "--fix",
    is_flag=True,
    help="Mend in the files what can only be meant in one way, and report what is left.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Print what --fix would change as a unified diff, and write nothing.",
)
@click.option(
    "--without-data",
    is_flag=True,
    help="Leave out what the documents name: data and weights need not be there.",
)
@click.option(
    "--skip-others",
    is_flag=True,
    help="Leave out files that are no netdesc documents, for hooks that are given all JSON.",
)
@click.option("--strict", is_flag=True, help="Fail for warnings as for errors: exit code 1.")
@options.as_json
@options.quiet
@click.pass_obj
def validate(
    output: Output,
    files: tuple[Path, ...],
    overrides: tuple[str, ...],
    form: str,
    fix: bool,
    diff: bool,
    without_data: bool,
    skip_others: bool,
    strict: bool,
) -> int:
    """Check documents; report all findings of each, with line, column and a way out.

    What is marked [*] can be mended by --fix: misspelt keys, types and names where only one thing
    can be meant, numbers in quotes, a missing format. All else of the file stays as it is, and so
    do the values of --set. --diff, with --fix or alone, shows the changes and writes nothing. The
    exit code tells what is wrong with the files in the end.
    """
    from netdesc.description import check
    from netdesc.description.diagnostics.wording import amount

    if output.as_json and form in FOR_PROGRAMS:
        raise click.UsageError(f"--json and --format {form} exclude each other")
    output.as_json |= form == "json"
    if skip_others:
        from netdesc.description.detect import may_be_document

        files = tuple(filter(may_be_document, files))
    more: dict[str, Any] = {}
    code = 0
    if fix or diff:
        from netdesc.cli.fix import fix as fix_files

        diagnostics, more, code = fix_files(
            output,
            files,
            overrides,
            is_diff=diff,
            with_files=not without_data,
            for_people=form == "text",
        )
    else:
        diagnostics = [
            found
            for file in files
            for found in check(file, overrides, with_files=not without_data)[1]
        ]
    if form in FOR_PROGRAMS:
        FOR_PROGRAMS[form](output, diagnostics, files)
    elif output.as_json:
        output.give(findings.record(diagnostics, len(files)) | more)
    elif diff:
        pass  # standard output is the diff, for patch to read
    elif diagnostics:
        text = findings.text(diagnostics, sys.stdout, fix_command="--fix", files=len(files))
        output.say(text)
    else:
        output.note(f"{amount(len(files), 'file')}: no findings")
    return code or findings.exit_code(diagnostics) or int(strict and bool(diagnostics))
