"""``netdesc validate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from netdesc.cli import findings, formats, options
from netdesc.cli.output import Output

FOR_PROGRAMS = {"github": formats.annotate, "sarif": formats.give_sarif}


@click.command(epilog="Example: netdesc validate examples/*.json")
@click.argument(
    "files", metavar="FILE.json...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
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
    "--skip-others",
    is_flag=True,
    help="Leave out files that are no netdesc documents, for hooks that are given all JSON.",
)
@options.as_json
@options.quiet
@click.pass_obj
def validate(
    output: Output,
    files: tuple[Path, ...],
    overrides: tuple[str, ...],
    form: str,
    skip_others: bool,
) -> int:
    """Check documents; report all findings of each, with line, column and a way out."""
    from netdesc.description import check

    if output.as_json and form in FOR_PROGRAMS:
        raise click.UsageError(f"--json and --format {form} exclude each other")
    output.as_json |= form == "json"
    if skip_others:
        from netdesc.description.recognise import may_be_document

        files = tuple(filter(may_be_document, files))
    diagnostics = [found for file in files for found in check(file, overrides)[1]]
    if form in FOR_PROGRAMS:
        FOR_PROGRAMS[form](output, diagnostics, files)
    elif output.as_json:
        output.give(findings.record(diagnostics, len(files)))
    elif diagnostics:
        output.say(findings.text(diagnostics, output.has_colour(sys.stdout)))
    else:
        output.note(f"{len(files)} file{'s' if len(files) != 1 else ''}: no findings")
    return findings.exit_code(diagnostics)
