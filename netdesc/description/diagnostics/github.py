"""Diagnostics as workflow commands for GitHub Actions.

GitHub shows at most ten annotations of each severity per step, but the log shows all of them.
"""

import os
from pathlib import Path, PurePath

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.wording import place, visible

_ESCAPES_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_ESCAPES_IN_PROPERTY = _ESCAPES_IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def workflow_command(diagnostic: Diagnostic, root: Path) -> str:
    """Returns a workflow command. Paths in it are relative to the workspace ``root``."""
    properties = {"file": _relative_path(diagnostic.file, root)}
    if diagnostic.line is not None:
        end_line = diagnostic.end_line or diagnostic.line
        properties |= {"line": str(diagnostic.line), "endLine": str(end_line)}
        # GitHub takes columns only within one line, and their inclusive end.
        if (column := diagnostic.column) is not None and end_line == diagnostic.line:
            last = (diagnostic.end_column or column + 1) - 1
            properties |= {"col": str(column), "endColumn": str(max(column, last))}
    properties["title"] = f"netdesc {diagnostic.code}"
    # Escape first: `visible` replaces control characters, and GitHub must find files of any name.
    escaped = ",".join(
        f"{key}={visible(value.translate(_ESCAPES_IN_PROPERTY))}"
        for key, value in properties.items()
    )
    message = diagnostic.message
    if diagnostic.override is not None:
        message = f"--set {diagnostic.override}: {message}"
    related = [
        f"{place(spot, _relative_path(spot.file, root))}: {spot.message}"
        for spot in diagnostic.related
    ]
    help_line = f"netdesc explain {diagnostic.code}"
    texts = [message, diagnostic.hint, *diagnostic.notes, *related, help_line]
    body = "\n".join(visible(text) for text in texts if text).translate(_ESCAPES_IN_MESSAGE)
    return f"::{diagnostic.severity} {escaped}::{body}"


def _relative_path(file: str, root: Path) -> str:
    """Returns the path of the file relative to ``root``; ``file`` if it is not below ``root``."""
    folder, name = os.path.split(os.path.abspath(file))
    if "\0" not in folder:  # realpath raises ValueError
        folder = os.path.realpath(folder)
    path, base = os.path.join(folder, name), os.path.realpath(root)
    is_below = path.startswith(os.path.join(base, ""))
    return PurePath(os.path.relpath(path, base)).as_posix() if is_below else file
