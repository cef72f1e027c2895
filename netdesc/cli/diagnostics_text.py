"""Diagnostics as a command prints and counts them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from netdesc.cli.exit_codes import AT_FAULT, ENVIRONMENT
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.description import Description, Diagnostic


def exit_code(diagnostics: Sequence[Diagnostic]) -> int:
    """0 without errors; 3 where all that is wrong is files that are missing, 1 otherwise."""
    errors = [finding for finding in diagnostics if finding.is_error]
    if not errors:
        return 0
    return ENVIRONMENT if all(finding.lacks_data for finding in errors) else AT_FAULT


def text(diagnostics: Sequence[Diagnostic], stream: TextIO, **more: Any) -> str:
    """The findings as a stream shows them: a terminal in its width and colours."""
    from netdesc.description import render_text

    width, colour = Output.width(stream), Output.has_colour(stream)
    return render_text(diagnostics, width=width, colour=colour, **more)


def record(diagnostics: Sequence[Diagnostic], files: int) -> dict[str, Any]:
    from netdesc.description import to_json

    return to_json(diagnostics, files)


TOLD_BY_TRAINING = ("ND235", "ND308")
"""Warnings that training gives as well, when it has read all of the data."""


def load_document(
    output: Output, file: Path, overrides: Sequence[str], silent: Sequence[str] = ()
) -> Description:
    """The description in ``file``; its warnings are noted, but for those with ``silent`` codes.

    DescriptionError as ``load``.
    """
    from netdesc.description import load

    description = load(file, overrides)
    warnings = [warning for warning in description.warnings if warning.code not in silent]
    if warnings:
        output.note(text(warnings, sys.stderr))
    return description
