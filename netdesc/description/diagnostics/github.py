"""Diagnostics for GitHub Actions: workflow commands, and a table for the summary of a step.

GitHub shows at most ten annotations of each severity per step, but the log and the summary show all
of them. GitHub discards a summary of more than 1 MiB, so a longer table is cut here.
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
_MAX_CUT_NOTE_BYTES = 200
"""Space for the line which says that the table is cut."""


def workflow_commands(diagnostics: Sequence[Diagnostic], root: Path) -> list[str]:
    """Returns one workflow command per diagnostic. Paths are relative to the workspace ``root``."""
    return [_annotation(each, root) for each in diagnostics]


def summary(
    diagnostics: Sequence[Diagnostic], files: int, root: Path, max_bytes: int = MAX_SUMMARY_BYTES
) -> str:
    """Returns all diagnostics as a Markdown table.

    A table longer than ``max_bytes`` is cut, and its last line says so. ``files`` is the number of
    checked files. The text is empty if not even the table's head fits into ``max_bytes``.
    """
    if not diagnostics:
        line = f"netdesc: {count_text(diagnostics, files)}\n"
        return line if len(line) <= max_bytes else ""
    parts = [
        f"### netdesc: {count_text(diagnostics, files)}\n\n",
        "| | place | code | diagnostic |\n|---|---|---|---|\n",
    ]
    left = max_bytes - sum(map(len, parts)) - _MAX_CUT_NOTE_BYTES
    if left < 0:
        return ""
    for number, each in enumerate(diagnostics):
        line = row(_cells(each, root)) + "\n"
        left -= len(line.encode())
        if left < 0:
            more = len(diagnostics) - number
            parts.append(f"\nThe table is cut here: the log of this step has {more:,} more.\n")
            break
        parts.append(line)
    return "".join(parts)


def count_text(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """Returns the numbers of errors, warnings and files: ``1 error, 2 warnings in 3 files``."""
    return f"{', '.join(kinds(diagnostics)) or 'no diagnostics'} in {amount(files, 'file')}"


def _annotation(diagnostic: Diagnostic, root: Path) -> str:
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


def _file(file: str, root: Path) -> str:
    return visible(_name(file, root))


def _related(diagnostic: Diagnostic, root: Path) -> list[str]:
    return [
        f"{place(each, _file(each.file, root))}: {visible(each.message)}"
        for each in diagnostic.related
    ]


def _cells(diagnostic: Diagnostic, root: Path) -> list[str]:
    at = place(diagnostic, _file(diagnostic.file, root))
    texts = [*lines(diagnostic), *_related(diagnostic, root)]
    text = "<br>".join(escape_line(each) for each in texts)
    return [diagnostic.severity, escape_line(at), diagnostic.code, text]
