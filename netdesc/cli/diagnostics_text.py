"""Loads documents, and formats their diagnostics for a terminal."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from netdesc.cli import ENVIRONMENT, INVALID_INPUT
from netdesc.cli.output import Output, SafeText

if TYPE_CHECKING:
    from netdesc.description import Description, Diagnostic


def exit_code(diagnostics: "Sequence[Diagnostic]") -> int:
    """Returns 0 if there are no errors, 3 if every error is a missing file, otherwise 1."""
    errors = [each for each in diagnostics if each.is_error]
    if not errors:
        return 0
    return ENVIRONMENT if all(each.lacks_data for each in errors) else INVALID_INPUT


def format_diagnostics(
    diagnostics: "Sequence[Diagnostic]", stream: TextIO, **options: Any
) -> SafeText:
    """Formats diagnostics for ``stream``; ``options`` are those of ``render_text``."""
    from netdesc.description import render_text

    width = _columns(stream) if stream.isatty() else None
    colour = Output.has_colour(stream)
    return SafeText(render_text(diagnostics, width=width, colour=colour, **options))


def _columns(terminal: TextIO) -> int:
    """Returns the width of a terminal. shutil would ask for that of stdout, which may be a file."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except OSError:
        return 80


def load_document(
    output: Output, file: Path, overrides: Sequence[str], *, with_data: bool = True
) -> "Description":
    """Loads ``file`` and prints its warnings. Raises DescriptionError as ``load`` does."""
    from netdesc.api.load import load, load_without_data

    description = load(file, overrides) if with_data else load_without_data(file, overrides)
    if description.warnings:
        output.info(format_diagnostics(description.warnings, sys.stderr))
    return description
