"""Findings in the forms that other programs read: GitHub's workflow commands, and SARIF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.description import Diagnostic


def give_sarif(output: Output, diagnostics: Sequence[Diagnostic], files: Sequence[Path]) -> None:
    """One SARIF log on standard output."""
    from netdesc.description.diagnostics.sarif import to_sarif

    output.give(to_sarif(diagnostics, [str(file) for file in files], _workspace()))


def annotate(output: Output, diagnostics: Sequence[Diagnostic], files: Sequence[Path]) -> None:
    """Workflow commands on standard output, and the table in the step's summary."""
    from netdesc.description.diagnostics.github import (
        MAX_SUMMARY_BYTES,
        count_text,
        summary,
        workflow_commands,
    )

    root = _workspace()
    for line in workflow_commands(diagnostics, root):
        output.say(line)
    output.note(f"netdesc: {count_text(diagnostics, len(files))}")
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "ab") as file:
            # Other commands of the step may have written into the file before.
            room = MAX_SUMMARY_BYTES - file.tell()
            file.write(summary(diagnostics, len(files), root, room).encode())
    except OSError as problem:
        reason = problem.strerror or problem
        output.complain(f"GITHUB_STEP_SUMMARY: cannot write the table to {path}: {reason}")


def _workspace() -> Path:
    """Where names of files start: GitHub's checkout, elsewhere the working directory."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or os.getcwd())
