"""Findings as GitHub Actions shows them: workflow commands, and a table for the step's summary.

A step shows ten annotations of a kind; what it prints and its summary hold all of them. GitHub
refuses a summary of more than 1 MiB whole, so that a longer one is cut here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.markdown import escaped, row
from netdesc.description.diagnostics.wording import amount, kinds, lines, place, visible, within

SUMMARY_BYTES = 1 << 20
"""What GitHub takes for the summary of a step."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})
_ROOM_TO_END = 200
"""Bytes that the line about a cut takes at most."""


def workflow_commands(diagnostics: Sequence[Diagnostic], root: Path) -> list[str]:
    """One workflow command a finding. Files are named as from ``root``, the workspace."""
    return [_annotation(each, root) for each in diagnostics]


def summary(
    diagnostics: Sequence[Diagnostic], files: int, root: Path, room: int = SUMMARY_BYTES
) -> str:
    """All findings as a table in Markdown. With more than ``room`` bytes it is cut and says so."""
    if not diagnostics:
        line = f"netdesc: {counted(diagnostics, files)}\n"
        return line if len(line) <= room else ""
    parts = [
        f"### netdesc: {counted(diagnostics, files)}\n\n",
        "| | place | code | finding |\n|---|---|---|---|\n",
    ]
    left = room - sum(map(len, parts)) - _ROOM_TO_END
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


def counted(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """How many findings of each kind there are, and in how many files."""
    return f"{', '.join(kinds(diagnostics)) or 'no findings'} in {amount(files, 'file')}"


def _annotation(diagnostic: Diagnostic, root: Path) -> str:
    properties = {"file": _name(diagnostic.file, root)}
    if diagnostic.line is not None:
        properties |= _lines_and_columns(diagnostic)
    properties["title"] = f"netdesc {diagnostic.code}"
    # Translated before it is made visible: GitHub finds the file, whatever is in its name.
    given = ",".join(
        f"{key}={visible(value.translate(_PROPERTY))}" for key, value in properties.items()
    )
    told = [*lines(diagnostic), *_related(diagnostic, root)]
    told.append(f"netdesc explain {diagnostic.code}")
    return f"::{diagnostic.severity} {given}::{chr(10).join(told).translate(_DATA)}"


def _lines_and_columns(diagnostic: Diagnostic) -> dict[str, str]:
    """The lines; and the columns, the last one included, which GitHub takes within a line only."""
    assert diagnostic.line is not None
    end_line = diagnostic.end_line or diagnostic.line
    found = {"line": diagnostic.line, "endLine": end_line}
    if diagnostic.column is not None and end_line == diagnostic.line:
        last = (diagnostic.end_column or diagnostic.column + 1) - 1
        found |= {"col": diagnostic.column, "endColumn": max(diagnostic.column, last)}
    return {key: str(value) for key, value in found.items()}


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
    told = [*lines(diagnostic), *_related(diagnostic, root)]
    finding = "<br>".join(escaped(each) for each in told)
    return [diagnostic.severity, escaped(at), diagnostic.code, finding]
