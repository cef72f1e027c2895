"""Applies the unambiguous fixes of all diagnostics to a text: ``netdesc validate --fix``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit
from netdesc.description.load import check_text
from netdesc.description.source import Source

MAX_ROUNDS = 50
"""Largest number of rounds. A fix may reveal another error, such as the next comma too many."""


@dataclass(slots=True)
class FixResult:
    """A text before and after the fixes, and the fixed diagnostics."""

    before: Source
    after: Source
    fixed: list[Diagnostic] = field(default_factory=list[Diagnostic])


def apply_fixes(source: Source, path: Path) -> FixResult:
    """Applies the fixes that do not overlap and checks again, until nothing changes.

    ``path`` is the file that contains the text. Writes no file.
    """
    result = FixResult(source, source)
    seen = {source.text}
    for _ in range(MAX_ROUNDS):
        diagnostics = check_text(result.after, path)[1]
        fixed = _select_disjoint(diagnostics)
        edits = [edit for diagnostic in fixed for edit in _edits(diagnostic)]
        text = _apply(result.after.text, edits)
        if text in seen:
            break
        seen.add(text)
        result.after = Source(text, source.name)
        result.fixed += fixed
    return result


def _edits(diagnostic: Diagnostic) -> tuple[Edit, ...]:
    return () if diagnostic.fix is None else diagnostic.fix.edits


def _apply(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


def _select_disjoint(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Returns the diagnostics with edits, without those whose edits touch an earlier edit."""
    taken: list[Edit] = []
    selected: list[Diagnostic] = []
    for diagnostic in diagnostics:
        edits = _edits(diagnostic)
        overlaps = any(
            edit.start <= other.end and other.start <= edit.end for edit in edits for other in taken
        )
        if edits and not overlaps:
            taken += edits
            selected.append(diagnostic)
    return selected
