"""Diagnostics as workflow commands for GitHub Actions.

GitHub shows at most ten annotations of each severity per step, but the log shows all of them.
"""

from __future__ import annotations

from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.wording import lines, place, visible, within

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
