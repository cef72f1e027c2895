"""Diagnostics for GitHub Actions: workflow commands, and a table for the summary of a step.

GitHub shows at most ten annotations of each severity per step, but the log and the summary show all
of them. GitHub discards a summary of more than 1 MiB.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.markdown import escape_line, row
from netdesc.description.diagnostics.wording import amount, kinds, lines, place, visible, within

MAX_SUMMARY_BYTES = 1 << 20
"""GitHub's limit for the summary of a step; a longer summary is discarded."""

_ESCAPES_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_ESCAPES_IN_PROPERTY = _ESCAPES_IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def workflow_command(diagnostic: Diagnostic, root: Path) -> str:
    """Returns a workflow command. Paths in it are relative to the workspace ``root``."""
    properties = {"file": _name(diagnostic.file, root)}
    if diagnostic.line is not None:
        properties |= _lines_and_columns(diagnostic)
    properties["title"] = f"netdesc {diagnostic.code}"
    # Escape first: `visible` replaces control characters, and GitHub must find files of any name.
    escaped = ",".join(
        f"{key}={visible(value.translate(_ESCAPES_IN_PROPERTY))}"
        for key, value in properties.items()
    )
    texts = [*lines(diagnostic), *_related(diagnostic, root)]
    texts.append(f"netdesc explain {diagnostic.code}")
    message = "\n".join(texts).translate(_ESCAPES_IN_MESSAGE)
    return f"::{diagnostic.severity} {escaped}::{message}"


def summary(
    diagnostics: Sequence[Diagnostic], files: int, root: Path, max_bytes: int = MAX_SUMMARY_BYTES
) -> str:
    """Returns all diagnostics as a Markdown table, or only their numbers if it is too long.

    The text has at most ``max_bytes`` bytes, so it may be empty. ``files`` is the number of checked
    files.
    """
    counts = f"netdesc: {count_text(diagnostics, files)}\n"
    rows = [row(_cells(each, root)) for each in diagnostics]
    table = "\n".join(["| | place | code | diagnostic |", "|---|---|---|---|", *rows, ""])
    texts = (f"### {counts}\n{table}" if rows else counts, counts)
    return next((each for each in texts if len(each.encode()) <= max_bytes), "")


def count_text(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """Returns the numbers of errors, warnings and files: ``1 error, 2 warnings in 3 files``."""
    return f"{', '.join(kinds(diagnostics)) or 'no diagnostics'} in {amount(files, 'file')}"


def _lines_and_columns(diagnostic: Diagnostic) -> dict[str, str]:
    """Returns the parameters of a workflow command for lines and columns, with inclusive ends.

    A range of several lines has no columns, because GitHub accepts them only within one line.
    """
    assert diagnostic.line is not None
    end_line = diagnostic.end_line or diagnostic.line
    properties = {"line": diagnostic.line, "endLine": end_line}
    if diagnostic.column is not None and end_line == diagnostic.line:
        last = (diagnostic.end_column or diagnostic.column + 1) - 1
        properties |= {"col": diagnostic.column, "endColumn": max(diagnostic.column, last)}
    return {key: str(value) for key, value in properties.items()}


def _name(file: str, root: Path) -> str:
    inside = within(file, root)
    return inside.as_posix() if inside is not None else file


def _related(diagnostic: Diagnostic, root: Path) -> list[str]:
    return [
        f"{place(each, visible(_name(each.file, root)))}: {visible(each.message)}"
        for each in diagnostic.related
    ]


def _cells(diagnostic: Diagnostic, root: Path) -> list[str]:
    at = place(diagnostic, visible(_name(diagnostic.file, root)))
    texts = [*lines(diagnostic), *_related(diagnostic, root)]
    text = "<br>".join(escape_line(each) for each in texts)
    return [diagnostic.severity, escape_line(at), diagnostic.code, text]
