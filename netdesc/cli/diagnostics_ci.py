"""Prints diagnostics for continuous integration: GitHub's workflow commands, and SARIF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.description import Diagnostic


def print_sarif(output: Output, diagnostics: Sequence[Diagnostic], files: Sequence[Path]) -> None:
    """Prints one SARIF log on standard output."""
    from netdesc.description.diagnostics.sarif import to_sarif

    output.print_json(to_sarif(diagnostics, [str(file) for file in files], _workspace()))


def print_github(output: Output, diagnostics: Sequence[Diagnostic], files: Sequence[Path]) -> None:
    """Prints GitHub workflow commands, and appends a table to the summary of the workflow step."""
    from netdesc.description.diagnostics.github import (
        MAX_SUMMARY_BYTES,
        count_text,
        summary,
        workflow_command,
    )

    root = _workspace()
    for diagnostic in diagnostics:
        output.print(workflow_command(diagnostic, root))
    output.info(f"netdesc: {count_text(diagnostics, len(files))}")
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "ab") as file:
            # Earlier commands of the same step may have written into the file.
            free_bytes = MAX_SUMMARY_BYTES - file.tell()
            file.write(summary(diagnostics, len(files), root, free_bytes).encode())
    except OSError as problem:
        reason = problem.strerror or problem
        output.error(f"GITHUB_STEP_SUMMARY: cannot write the table to {path}: {reason}")


def _workspace() -> Path:
    """Returns the folder to which paths are relative: GitHub's checkout or the working folder."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or os.getcwd())
